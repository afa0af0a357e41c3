import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RuntimeError } from '#base/errors'
import { v1 } from '#proto'
import type { Sent } from '../grpc/methods.ts'
import { runtimeMethods as rpc } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { type DoorFixture, openTestDoor } from '../testing/door-fixture.ts'
import { samplePodId } from '../testing/samples.ts'

type PodConfigMessage = NonNullable<Sent<typeof rpc.RunPodSandbox.request>['config']>

/** Enums of proto3 are open: anything may come. */
const unknownNumber: unknown = 9

function podConfig(name: string, rest: PodConfigMessage = {}): PodConfigMessage {
  return { metadata: { name, uid: `uid-${name}`, namespace: 'default', attempt: 1 }, ...rest }
}

async function run({ client }: DoorFixture, config: PodConfigMessage): Promise<string> {
  return (await client.call(rpc.RunPodSandbox, { config })).podSandboxId
}

test('a pod can be run, listed, looked at, stopped and removed', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  const labels = { 'app.example/name': 'web', ünï: '✓', '': 'empty key', __proto__x: '' }
  const id = await run(door, podConfig('web', { labels, annotations: { note: 'a\nb "c" ' } }))
  const { items } = await client.call(rpc.ListPodSandbox, {})
  assert.deepEqual(
    items.map(item => [item.id, item.state ?? 0, item.labels, item.createdAt?.toString()]),
    [[id, 0, labels, '1700000000123456789']],
  )
  const { status } = await client.call(rpc.PodSandboxStatus, { podSandboxId: id.slice(0, 64) })
  assert.deepEqual(status?.annotations, { note: 'a\nb "c" ' })
  assert.equal(status.network?.ip, '10.88.0.7')
  assert.deepEqual(
    status.network.additionalIps?.map(({ ip }) => ip),
    ['fd00::7'],
  )
  for (const repeat of ['first', 'again']) {
    await client.call(rpc.StopPodSandbox, { podSandboxId: id })
    const stopped = await client.call(rpc.PodSandboxStatus, { podSandboxId: id })
    assert.equal(stopped.status?.state, 1, repeat)
  }
  for (const repeat of ['first', 'again']) {
    await client.call(rpc.RemovePodSandbox, { podSandboxId: id })
    assert.deepEqual((await client.call(rpc.ListPodSandbox, {})).items, [], repeat)
  }
})

test('the status echoes the namespaces, so that the kubelet keeps the pod', async t => {
  const door = await openTestDoor(t)
  const namespaceOptions = { network: 2, pid: 1, ipc: 2 }
  const id = await run(door, podConfig('host', { linux: { securityContext: { namespaceOptions } } }))
  const { status } = await door.client.call(rpc.PodSandboxStatus, { podSandboxId: id })
  const { network, pid, ipc } = status?.linux?.namespaces?.options ?? {}
  assert.deepEqual({ network, pid, ipc }, namespaceOptions)
  assert.equal(status?.network?.ip ?? '', '')
})

test('a list changes when a pod does, though its bytes are kept', async t => {
  const door = await openTestDoor(t)
  const id = await run(door, podConfig('web'))
  const states = async () =>
    (await door.client.call(rpc.ListPodSandbox, {})).items.map(item => item.state ?? 0)
  assert.deepEqual(await states(), [0])
  assert.deepEqual(await states(), [0])
  await door.client.call(rpc.StopPodSandbox, { podSandboxId: id })
  assert.deepEqual(await states(), [1])
})

test('list filters by id prefix, state and labels, and combines them', async t => {
  const door = await openTestDoor(t)
  const web = await run(door, podConfig('web', { labels: { app: 'web', tier: 'front' } }))
  const db = await run(door, podConfig('db', { labels: { app: 'db' } }))
  await door.client.call(rpc.StopPodSandbox, { podSandboxId: db })
  const table: [Sent<typeof rpc.ListPodSandbox.request>['filter'], string[]][] = [
    [null, [web, db]],
    [{}, [web, db]],
    [{ id: web }, [web]],
    [{ id: web.slice(0, 60) }, [web, db]],
    [{ id: 'ffff' }, []],
    [{ state: { state: v1.PodSandboxState.SANDBOX_READY } }, [web]],
    [{ state: { state: v1.PodSandboxState.SANDBOX_NOTREADY } }, [db]],
    [{ labelSelector: { app: 'web' } }, [web]],
    [{ labelSelector: { app: 'web', tier: 'back' } }, []],
    [{ state: { state: v1.PodSandboxState.SANDBOX_NOTREADY }, labelSelector: { app: 'web' } }, []],
  ]
  for (const [filter, expected] of table) {
    const { items } = await door.client.call(rpc.ListPodSandbox, { filter: filter ?? null })
    assert.deepEqual(
      items.map(item => item.id),
      expected,
      JSON.stringify(filter),
    )
  }
})

test('the runtime handler goes to the engine and comes back', async t => {
  const door = await openTestDoor(t)
  const { podSandboxId } = await door.client.call(rpc.RunPodSandbox, {
    config: podConfig('web'),
    runtimeHandler: 'kata',
  })
  const { status } = await door.client.call(rpc.PodSandboxStatus, { podSandboxId })
  assert.equal(status?.runtimeHandler, 'kata')
})

test('a verbose status has JSON under info, a plain one has nothing', async t => {
  const door = await openTestDoor(t)
  const id = await run(door, podConfig('web'))
  const plain = await door.client.call(rpc.PodSandboxStatus, { podSandboxId: id })
  assert.deepEqual(plain.info, {})
  const verbose = await door.client.call(rpc.PodSandboxStatus, { podSandboxId: id, verbose: true })
  const info = JSON.parse(verbose.info.info ?? '') as {
    phase: string
    config: { metadata: { name: string } }
  }
  assert.deepEqual([info.phase, info.config.metadata.name], ['ready', 'web'])
})

test('wrong requests are INVALID_ARGUMENT, name the field and leave nothing', async t => {
  const { client, engine } = await openTestDoor(t)
  const metadata = { name: 'web', uid: 'u', namespace: 'n' }
  const options = (namespaceOptions: object) => ({
    metadata,
    linux: { securityContext: { namespaceOptions } },
  })
  const table: [PodConfigMessage | undefined, RegExp][] = [
    [undefined, /config is required/],
    [{}, /config\.metadata is required/],
    [{ metadata: { ...metadata, name: '' } }, /metadata\.name/],
    [{ metadata: { ...metadata, uid: '' } }, /metadata\.uid/],
    [{ metadata: { ...metadata, namespace: '' } }, /metadata\.namespace/],
    [{ metadata: { ...metadata, name: 'a\0b' } }, /metadata\.name/],
    [{ metadata, hostname: 'a\0b' }, /hostname/],
    [{ metadata, dnsConfig: { servers: ['10.0.0.1', 'a\0b'] } }, /dns_config\.servers\[1\]/],
    [{ metadata, portMappings: [{ containerPort: 65_536 }] }, /port_mappings\[0\]\.container_port/],
    [{ metadata, portMappings: [{ hostPort: -1 }] }, /port_mappings\[0\]\.host_port/],
    [
      { metadata, portMappings: [{ protocol: unknownNumber as v1.Protocol }] },
      /port_mappings\[0\]\.protocol/,
    ],
    [{ metadata, linux: { sysctls: { 'kernel.shmmax': '1\0' } } }, /sysctls\["kernel\.shmmax"\]/],
    [options({ pid: 3, targetId: 'x' }), /TARGET/],
    [options({ network: 1 }), /network/],
    [options({ ipc: 1 }), /ipc/],
    [options({ usernsOptions: { mode: 1 } }), /userns_options\.mode/],
    [options({ usernsOptions: { mode: 0 } }), /userns_options\.uids/],
  ]
  for (const [config, details] of table) {
    const call = client.call(rpc.RunPodSandbox, { config: config ?? null })
    await assert.rejects(call, { code: grpcCode.invalidArgument, details }, JSON.stringify(config))
  }
  assert.equal(engine.pods.size, 0)
})

test('ids: empty is INVALID_ARGUMENT, unknown is NOT_FOUND in a status and fine in stop and remove', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  for (const method of [rpc.StopPodSandbox, rpc.RemovePodSandbox] as const) {
    await client.call(method, { podSandboxId: samplePodId(99) })
    await assert.rejects(client.call(method, { podSandboxId: '' }), { code: grpcCode.invalidArgument })
  }
  await assert.rejects(client.call(rpc.PodSandboxStatus, {}), { code: grpcCode.invalidArgument })
  await assert.rejects(client.call(rpc.PodSandboxStatus, { podSandboxId: samplePodId(99) }), {
    code: grpcCode.notFound,
    details: new RegExp(samplePodId(99)),
  })
})

test('an error of the engine keeps its kind', async t => {
  const door = await openTestDoor(t)
  door.engine.failNext(new RuntimeError('resource-exhausted', 'cannot write pod record: ENOSPC'))
  await assert.rejects(run(door, podConfig('web')), {
    code: grpcCode.resourceExhausted,
    details: 'cannot write pod record: ENOSPC',
  })
  await run(door, podConfig('web'))
  await assert.rejects(run(door, podConfig('web')), { code: grpcCode.alreadyExists })
})
