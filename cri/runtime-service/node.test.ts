import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { CriClient } from '../grpc/client.ts'
import { imageMethods, runtimeMethods as rpc } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { openTestDoor } from '../testing/door-fixture.ts'
import { version } from '../version.ts'

test('the version says who this is', async t => {
  const { client } = await openTestDoor(t)
  const answer = await client.call(rpc.Version, { version: '0.1.0' })
  assert.deepEqual(Object.fromEntries(Object.entries(answer)), {
    version: '0.1.0',
    runtimeName: 'lighter',
    runtimeVersion: version,
    runtimeApiVersion: 'v1',
  })
})

test('the version is that of the package', async () => {
  const { version: expected } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
  assert.equal(version, expected)
})

test('status has the conditions with their reasons, and the default handler as ""', async t => {
  const { client } = await openTestDoor(t)
  const { status, runtimeHandlers, features, info } = await client.call(rpc.Status, {})
  assert.deepEqual(
    status?.conditions?.map(({ type, status: isTrue, reason }) => [type, isTrue ?? false, reason ?? '']),
    [
      ['RuntimeReady', true, ''],
      ['NetworkReady', false, 'NetworkPluginNotReady'],
      ['RuntimeHandlersUsable', true, ''],
    ],
  )
  assert.deepEqual(
    runtimeHandlers.map(handler => [handler.name ?? '', handler.features?.recursiveReadOnlyMounts]),
    [
      ['', true],
      ['runc', true],
    ],
  )
  assert.equal(features?.supplementalGroupsPolicy, true)
  assert.equal(features.mountOptions, true)
  assert.deepEqual(info, {})
})

test('a verbose status shows the configuration, with the state directory where critest looks for it', async t => {
  const { client, config } = await openTestDoor(t)
  const { info } = await client.call(rpc.Status, { verbose: true })
  const shown = JSON.parse(info.config ?? '') as { readonly stateDir: string; readonly listen: string }
  assert.equal(shown.stateDir, config.state)
  assert.equal(shown.listen, config.listen)
})

test('the cgroup driver is told, though cgroupfs is not the zero value', async t => {
  const { client, engine } = await openTestDoor(t)
  assert.equal((await client.call(rpc.RuntimeConfig, {})).linux?.cgroupDriver, 1)
  engine.nodeStatus = { ...engine.nodeStatus, cgroupDriver: 'systemd' }
  const { linux } = await client.call(rpc.RuntimeConfig, {})
  assert.ok(linux)
  assert.equal(linux.cgroupDriver ?? 0, 0)
})

test('a pod CIDR is accepted and ignored', async t => {
  const { client } = await openTestDoor(t)
  await client.call(rpc.UpdateRuntimeConfig, {
    runtimeConfig: { networkConfig: { podCidr: '10.1.0.0/24' } },
  })
})

type CriMethod = (typeof rpc)[keyof typeof rpc] | (typeof imageMethods)[keyof typeof imageMethods]

/** The deadline ends the streams that have no end of their own. */
async function tryOut(client: CriClient, method: CriMethod): Promise<void> {
  if (method.isServerStream) {
    for await (const message of client.stream(method, {}, { timeoutMs: 300 })) assert.ok(message)
  } else {
    await client.call(method, {})
  }
}

test('every RPC of the interface is built', async t => {
  const { client } = await openTestDoor(t)
  for (const method of [...Object.values(rpc), ...Object.values(imageMethods)]) {
    const failure = await tryOut(client, method).then(
      () => undefined,
      (err: unknown) => err as { readonly code: number },
    )
    assert.notEqual(failure?.code, grpcCode.unimplemented, method.name)
  }
})

test('SCOPE.md lists every RPC as built', async () => {
  const expected = [...Object.values(rpc), ...Object.values(imageMethods)].map(({ name }) => `${name} in`)
  const scope = await readFile('SCOPE.md', 'utf8')
  const listed = [...scope.matchAll(/^\| `(\w+)` +\| (in|out) +\| \S/gm)].map(
    ([, name, state]) => `${name} ${state}`,
  )
  assert.deepEqual(listed.sort(), expected.sort())
})
