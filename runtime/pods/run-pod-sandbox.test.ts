import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import test, { type TestContext } from 'node:test'
import { type ErrorKind, isKind, RuntimeError } from '#base/errors'
import type { NamespaceMode, UserNamespace } from '../model/linux.ts'
import type { PodConfig } from '../model/pod.ts'
import { testCtx } from '../testing/container-bench.ts'
import { createPodBench, type PodBench } from '../testing/pod-bench.ts'
import { samplePodConfig } from '../testing/samples.ts'
import { createRemovePodSandbox } from './remove-pod-sandbox.ts'
import { createRunPodSandbox } from './run-pod-sandbox.ts'
import { createStopPodSandbox } from './stop-pod-sandbox.ts'

async function bench(t: TestContext): Promise<PodBench> {
  const made = await createPodBench()
  t.after(() => made.close())
  return made
}

function sharedPid(): PodConfig {
  return samplePodConfig({
    namespaces: { network: 'pod', pid: 'pod', ipc: 'pod', targetId: '', user: undefined },
  })
}

function withNamespaces(changes: Partial<PodConfig['namespaces']>): PodConfig {
  const config = samplePodConfig()
  return { ...config, namespaces: { ...config.namespaces, ...changes } }
}

const idMapping = { hostId: 70_000, containerId: 0, length: 65_536 }

function withUser(changes: Partial<UserNamespace>, others: Partial<PodConfig['namespaces']> = {}): PodConfig {
  const user: UserNamespace = { mode: 'pod', uids: [idMapping], gids: [idMapping], ...changes }
  return withNamespaces({ user, ...others })
}

function run(pods: PodBench, config: PodConfig): ReturnType<ReturnType<typeof createRunPodSandbox>> {
  return createRunPodSandbox(pods.deps, 'k8s.io')(testCtx, { config, runtimeHandler: '' })
}

test('a pod gets its namespaces, files and address, and a record before any of them', async t => {
  const pods = await bench(t)
  const id = await run(pods, samplePodConfig())
  const pod = pods.deps.table.resolve(id)
  const paths = pods.deps.paths.pod(id)
  assert.equal(pod.phase, 'ready')
  assert.deepEqual(pod.network.ips, ['10.0.0.2'])
  assert.equal(pod.pausePid, undefined)
  assert.deepEqual(pods.records.written.get(id), pod)
  assert.deepEqual([...pods.host.mounts].sort(), [paths.ipc, paths.network, paths.shm, paths.uts])
  assert.equal(await readFile(paths.hostname, 'utf8'), 'web\n')
  assert.match(await readFile(paths.hosts, 'utf8'), /^10\.0\.0\.2\tweb$/m)
  assert.equal(pods.network.attached.get(id)?.netnsPath, paths.network)
})

test('a log directory that something is in the way of is the fault of who wants it, and nothing is left', async t => {
  const pods = await bench(t)
  for (const logDirectory of ['/dev/null', '/dev/null/x', `/tmp/${'x'.repeat(300)}`]) {
    await assert.rejects(
      run(pods, { ...samplePodConfig(), logDirectory }),
      (err: unknown) => isKind(err, 'failed-precondition') && err.message.includes(`"${logDirectory}"`),
    )
    assert.deepEqual(pods.deps.table.all(), [])
    assert.deepEqual([...pods.host.mounts], [])
  }
})

test('a pod that shares its PID namespace has a pause process in its own control group', async t => {
  const pods = await bench(t)
  const id = await run(pods, sharedPid())
  const { pausePid } = pods.deps.table.resolve(id)
  assert.ok(pausePid !== undefined)
  assert.deepEqual(pods.host.processes.get(pausePid)?.cgroups, [`/cgroup/${id}`])
})

test('a pod with a user namespace has it pinned, and its files belong to the root inside', async t => {
  const pods = await bench(t)
  const id = await run(pods, withUser({}))
  const paths = pods.deps.paths.pod(id)
  assert.ok(pods.host.mounts.includes(paths.user))
  for (const path of [paths.hosts, paths.hostname, paths.resolvConf]) {
    const { uid, gid } = await stat(path)
    assert.deepEqual({ uid, gid }, { uid: 70_000, gid: 70_000 }, path)
  }
  await createStopPodSandbox(pods.deps)(testCtx, id)
  assert.deepEqual(pods.host.mounts, [])
})

test('a user namespace that the node cannot make is refused with the reason before anything is made', async t => {
  const pods = await bench(t)
  const userNamespaces = { problem: () => Promise.resolve('no idmapped mounts') }
  const call = createRunPodSandbox({ ...pods.deps, userNamespaces }, 'k8s.io')
  await assert.rejects(call(testCtx, { config: withUser({}), runtimeHandler: '' }), {
    kind: 'failed-precondition',
    message: /default\/web.*no idmapped mounts/,
  })
  assert.deepEqual(await pods.leftovers(), [])
})

test('in the namespaces of the host nothing is made and no network attached', async t => {
  const pods = await bench(t)
  const node: NamespaceMode = 'node'
  const namespaces = { network: node, pid: node, ipc: node, targetId: '', user: undefined }
  const id = await run(pods, samplePodConfig({ namespaces }))
  assert.deepEqual(pods.host.mounts, [])
  assert.equal(pods.network.attached.size, 0)
  assert.equal(pods.deps.table.resolve(id).isNetworkAttached, false)
})

test('whatever step fails, the error names it and nothing is left', async t => {
  const failures: readonly (readonly [string, RegExp, (pods: PodBench) => void])[] = [
    [
      'the record cannot be written',
      /\(record\)/,
      pods => {
        pods.records.failNext(new RuntimeError('resource-exhausted', 'disk full'))
      },
    ],
    [
      'the namespaces cannot be made',
      /\(namespaces and files\)/,
      pods => {
        pods.host.fail('createSandbox', new RuntimeError('internal', 'no memory'))
      },
    ],
    ['ADD fails at once', /\(network\).*bridge/, pods => void (pods.network.addFails = 'at once')],
    ['ADD fails half-way', /\(network\).*bridge/, pods => void (pods.network.addFails = 'half')],
  ]
  for (const [name, message, breakIt] of failures) {
    await t.test(name, async sub => {
      const pods = await bench(sub)
      breakIt(pods)
      await assert.rejects(run(pods, sharedPid()), message)
      assert.deepEqual(await pods.leftovers(), [])
      pods.host.succeed('createSandbox')
      pods.network.addFails = 'no'
      await run(pods, sharedPid()) // its name is free again
    })
  }
})

test('bad input is refused before anything is made', async t => {
  const pods = await bench(t)
  const cases: readonly (readonly [string, PodConfig, string, ErrorKind])[] = [
    ['unknown handler', samplePodConfig(), 'kata', 'not-found'],
    ['long hostname', samplePodConfig({ hostname: 'x'.repeat(65) }), '', 'invalid-argument'],
    ['cgroup parent', samplePodConfig({ cgroupParent: '/not a parent' }), '', 'invalid-argument'],
    ['no id mapping', withUser({ uids: [] }), '', 'invalid-argument'],
    ['two id mappings', withUser({ gids: [idMapping, idMapping] }), '', 'invalid-argument'],
    [
      'a mapping without id 0',
      withUser({ uids: [{ ...idMapping, containerId: 1 }] }),
      '',
      'invalid-argument',
    ],
    ['user namespace of a container', withUser({ mode: 'container' }), '', 'invalid-argument'],
    ['user namespace of a target', withUser({ mode: 'target' }), '', 'invalid-argument'],
    ["user namespace with the host's IPC", withUser({}, { ipc: 'node' }), '', 'invalid-argument'],
    ["user namespace with the host's PIDs", withUser({}, { pid: 'node' }), '', 'invalid-argument'],
    ['network of a container', withNamespaces({ network: 'container' }), '', 'invalid-argument'],
    ['IPC of a target', withNamespaces({ ipc: 'target' }), '', 'invalid-argument'],
    ['PID namespace of a target', withNamespaces({ pid: 'target' }), '', 'invalid-argument'],
    ['sysctl of the node', samplePodConfig({ sysctls: { 'vm.swappiness': '1' } }), '', 'invalid-argument'],
  ]
  for (const [name, config, runtimeHandler, kind] of cases) {
    await t.test(name, async () => {
      const call = createRunPodSandbox(pods.deps, 'k8s.io')(testCtx, { config, runtimeHandler })
      await assert.rejects(call, err => isKind(err, kind))
      assert.deepEqual(await pods.leftovers(), [])
    })
  }
})

test('the same name is refused while its pod lives, stopped or not, and free when it is removed', async t => {
  const pods = await bench(t)
  const id = await run(pods, samplePodConfig())
  await assert.rejects(
    run(pods, samplePodConfig()),
    err => isKind(err, 'already-exists') && err.message.includes(id),
  )
  await createStopPodSandbox(pods.deps)(testCtx, id)
  await assert.rejects(run(pods, samplePodConfig()), err => isKind(err, 'already-exists'))
  await createRemovePodSandbox(pods.deps)(testCtx, id)
  await run(pods, samplePodConfig())
})

test('stop kills the containers and releases everything, twice is fine, and remove forgets', async t => {
  const pods = await bench(t)
  const stop = createStopPodSandbox(pods.deps)
  const id = await run(pods, sharedPid())
  await stop(testCtx, id)
  await stop(testCtx, id)
  assert.deepEqual(pods.containerCalls, ['kill all'])
  assert.equal(pods.deps.table.resolve(id).phase, 'notready')
  assert.deepEqual(
    (await pods.leftovers()).map(left => left.split(' ')[0]),
    ['pod', 'record', 'directory'],
  )
  await createRemovePodSandbox(pods.deps)(testCtx, id)
  assert.deepEqual(pods.containerCalls, ['kill all', 'remove all'])
  assert.deepEqual(await pods.leftovers(), [])
  await stop(testCtx, id)
  await createRemovePodSandbox(pods.deps)(testCtx, id)
})

test('a broken network plugin does not keep a pod from stopping, and its address is released later', async t => {
  const pods = await bench(t)
  const id = await run(pods, samplePodConfig())
  pods.network.delFails = true
  await createRemovePodSandbox(pods.deps)(testCtx, id)
  // The namespace is kept, so that the plugin can undo everything.
  const pin = pods.deps.paths.pod(id).network
  assert.deepEqual(await pods.leftovers(), [`mount ${pin}`, `network ${id}`, `directory ${id}`])
  assert.deepEqual(pods.deps.janitor.pending(), [id])
  await pods.clock.advance(5_000)
  pods.network.delFails = false
  await pods.clock.advance(10_000)
  while (pods.deps.janitor.pending().length > 0) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(await pods.leftovers(), [])
  assert.deepEqual(pods.deps.janitor.pending(), [])
})

test('a teardown that fails keeps the record, so that the next stop can finish it', async t => {
  const pods = await bench(t)
  const id = await run(pods, samplePodConfig())
  pods.host.fail('unmount', new RuntimeError('internal', 'busy'))
  await assert.rejects(createStopPodSandbox(pods.deps)(testCtx, id), /busy/)
  assert.equal(pods.deps.table.resolve(id).phase, 'stopping')
  pods.host.succeed('unmount')
  await createRemovePodSandbox(pods.deps)(testCtx, id)
  assert.deepEqual(await pods.leftovers(), [])
})

test('an undo that fails keeps a record that is not ready and can be removed', async t => {
  const pods = await bench(t)
  pods.network.addFails = 'half'
  pods.host.fail('unmount', new RuntimeError('internal', 'busy'))
  await assert.rejects(run(pods, samplePodConfig()), /bridge/)
  const [left] = pods.deps.table.all()
  assert.equal(left?.phase, 'notready')
  assert.equal(left.stage, 'release network and namespaces')
  pods.host.succeed('unmount')
  await createRemovePodSandbox(pods.deps)(testCtx, left.id)
  assert.deepEqual(await pods.leftovers(), [])
})
