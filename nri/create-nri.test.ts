import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import test from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import type { Container } from '#engine/model/container'
import { samplePod } from '#engine/testing/samples'
import { api } from '#nri-proto'
import { deferred } from './testing/deferred.ts'
import { type NriBench, sampleSpec, startNriBench, testCtx } from './testing/fake-plugin-host.ts'
import { startTestPlugin, type TestHandler, testPluginOn } from './testing/test-plugin.ts'

const refuse: TestHandler = () => Promise.reject(new RuntimeError('failed-precondition', 'I do not like it'))

/** Creates a container as the recipe does: the hook, then it is shown, then the hook that says so. */
async function create({ nri, host }: NriBench, container: Container): Promise<void> {
  await nri.createContainer(testCtx, { container: { ...container, phase: 'creating' }, spec: sampleSpec })
  if (!host.containerList.includes(container)) host.containerList.push(container)
  await nri.containerCreated(testCtx, container)
}

test('a plugin is told who it talks to, and finds what is there; what has ended is not counted', async t => {
  const bench = await startNriBench(t)
  const running = bench.addContainer('main')
  bench.addContainer('done', { phase: 'exited' })
  const plugin = await startTestPlugin(bench.socketPath)
  await plugin.ready
  const configured = await plugin.configured
  assert.equal(configured.runtimeName, 'lighter')
  assert.equal(configured.runtimeVersion, '0.0.1')
  assert.equal(configured.requestTimeout.toNumber(), 1_000)
  assert.deepEqual(plugin.synchronized, { pods: [bench.pod.id], containers: [running.id] })
  assert.equal((await stat(bench.socketPath)).mode & 0o777, 0o600)
})

test('a plugin hears of everything in order, plugins by their index', async t => {
  const bench = await startNriBench(t)
  const { nri, pod } = bench
  const order: string[] = []
  const note = (who: string): Record<string, TestHandler> => ({
    StopPodSandbox: () => {
      order.push(who)
      return new Uint8Array(0)
    },
  })
  const last = await startTestPlugin(bench.socketPath, { index: '90', handlers: note('90') })
  const first = await startTestPlugin(bench.socketPath, { index: '05', handlers: note('05') })
  await Promise.all([first.ready, last.ready])
  const other = samplePod()
  await nri.runPod(testCtx, other, () => Promise.resolve())
  const container = bench.addContainer('main', { phase: 'created' })
  await create(bench, container)
  await nri.startContainer(testCtx, container)
  await nri.containerStarted(testCtx, container)
  const resources = await nri.updateContainer(testCtx, { container, resources: limits(5) })
  await nri.containerUpdated(testCtx, container)
  await nri.containerStopped(testCtx, container)
  await nri.removeContainer(testCtx, container)
  await nri.stopPod(testCtx, pod)
  await nri.stopPod(testCtx, pod)
  await nri.removePod(testCtx, pod)
  assert.deepEqual(resources, limits(5), 'nobody has changed the update')
  for (const plugin of [first, last]) {
    assert.deepEqual(plugin.heard.slice(2), [
      'RunPodSandbox web',
      'CreateContainer main',
      'ValidateContainerAdjustment main',
      'PostCreateContainer main',
      'StartContainer main',
      'PostStartContainer main',
      'UpdateContainer main',
      'PostUpdateContainer main',
      'StopContainer main',
      'RemoveContainer main',
      'StopPodSandbox web',
      'RemovePodSandbox web',
    ])
  }
  assert.deepEqual(order, ['05', '90'])
})

function limits(cpuShares: number) {
  return {
    cpuPeriodUs: 0,
    cpuQuotaUs: 0,
    cpuShares,
    memoryLimitBytes: 0,
    memorySwapLimitBytes: 0,
    oomScoreAdj: 0,
    cpusetCpus: '',
    cpusetMems: '',
    hugepageLimits: [],
    unified: {},
  }
}

test('a plugin hears only of what it subscribed to', async t => {
  const bench = await startNriBench(t)
  const events = 1 << (api.Event.STOP_POD_SANDBOX - 1)
  const plugin = await startTestPlugin(bench.socketPath, { events })
  await plugin.ready
  await create(bench, bench.addContainer('main'))
  await bench.nri.stopPod(testCtx, bench.pod)
  assert.deepEqual(plugin.heard, ['Configure', 'Synchronize', 'StopPodSandbox web'])
})

test('what a plugin refuses fails, names the plugin, and is taken back', async t => {
  const bench = await startNriBench(t)
  const { nri } = bench
  const plugin = await startTestPlugin(bench.socketPath, {
    name: 'picky',
    handlers: {
      RunPodSandbox: refuse,
      CreateContainer: refuse,
      StartContainer: refuse,
      StopContainer: refuse,
    },
  })
  await plugin.ready
  const refused = (err: unknown): boolean =>
    isKind(err, 'failed-precondition') && /plugin "10-picky" fails .*: I do not like it/.test(err.message)
  let isPublished = false
  await assert.rejects(
    nri.runPod(testCtx, samplePod(), () => {
      isPublished = true
      return Promise.resolve()
    }),
    refused,
  )
  assert.ok(!isPublished, 'nobody has seen the pod')
  assert.deepEqual(plugin.heard.slice(2), ['RunPodSandbox web', 'StopPodSandbox web', 'RemovePodSandbox web'])
  const container = bench.addContainer('main', { phase: 'created' })
  await assert.rejects(nri.createContainer(testCtx, { container, spec: sampleSpec }), refused)
  await assert.rejects(nri.startContainer(testCtx, container), refused)
  await nri.containerStopped(testCtx, container)
  assert.ok(!plugin.connection.isClosed(), 'to refuse is its right')
})

test('a pod that cannot be shown in the end is gone for the plugins, too', async t => {
  const bench = await startNriBench(t)
  const plugin = await startTestPlugin(bench.socketPath)
  await plugin.ready
  const failing = bench.nri.runPod(testCtx, samplePod(), () =>
    Promise.reject(new RuntimeError('resource-exhausted', 'the disk is full')),
  )
  await assert.rejects(failing, err => isKind(err, 'resource-exhausted'))
  assert.deepEqual(plugin.heard.slice(-2), ['StopPodSandbox web', 'RemovePodSandbox web'])
})

test('a plugin that does not answer is disconnected, and wedges nothing', async t => {
  const bench = await startNriBench(t, { requestTimeoutMs: 50 })
  const hangs: TestHandler = () => new Promise(() => undefined)
  const plugin = await startTestPlugin(bench.socketPath, { handlers: { StartContainer: hangs } })
  const other = await startTestPlugin(bench.socketPath, { index: '20' })
  await Promise.all([plugin.ready, other.ready])
  const container = bench.addContainer('main')
  await bench.nri.startContainer(testCtx, container)
  await plugin.connection.closed
  await bench.nri.containerStopped(testCtx, container)
  assert.deepEqual(other.heard.slice(2), ['StartContainer main', 'StopContainer main'])
  assert.ok(!plugin.heard.includes('StopContainer main'))
})

test('a plugin that registers wrongly, late or twice, or asks too early, does not get in', async t => {
  const bench = await startNriBench(t, { registrationTimeoutMs: 100 })
  const cases = [
    { name: 'bad name', index: '10' },
    { name: 'test', index: '1' },
    { name: 'test', index: 'xx' },
    { name: '', index: '10' },
    {
      name: 'test',
      index: '10',
      handlers: { Configure: () => api.ConfigureResponse.encode({ events: 1 << 20 }).finish() },
    },
    { name: 'test', index: '10', handlers: { Configure: refuse } },
    { name: 'test', index: '10', handlers: { Synchronize: refuse } },
    { name: 'test', index: '10', handlers: { Synchronize: () => Uint8Array.from([0xff, 0xff]) } },
  ]
  for (const options of cases) {
    const plugin = await startTestPlugin(bench.socketPath, options).catch(() => undefined)
    if (plugin) await plugin.connection.closed
  }
  await testPluginOn(connect(bench.socketPath), {}).connection.closed // says nothing
  await create(bench, bench.addContainer('main'))
})

test('plugins of the lines before 0.12 hear of what had no call of its own by StateChange', async t => {
  const bench = await startNriBench(t)
  const unknown: TestHandler = () => Promise.reject(new RuntimeError('unimplemented', 'no such method'))
  const old = ['RunPodSandbox', 'StopPodSandbox', 'StartContainer', 'ValidateContainerAdjustment']
  const plugin = await startTestPlugin(bench.socketPath, {
    events: (1 << 11) - 1,
    handlers: Object.fromEntries(old.map(method => [method, unknown])),
  })
  await plugin.ready
  const container = bench.addContainer('main')
  await bench.nri.startContainer(testCtx, container)
  await bench.nri.stopPod(testCtx, bench.pod)
  assert.deepEqual(plugin.heard.slice(2), [
    'StartContainer main',
    'StateChange START_CONTAINER main',
    'StopPodSandbox web',
    'StateChange STOP_POD_SANDBOX web',
  ])
})

test('a container that comes while a plugin takes everything in is told after, once', async t => {
  const bench = await startNriBench(t)
  const early = await startTestPlugin(bench.socketPath, { index: '01' })
  await early.ready
  const before = bench.addContainer('before')
  const reached = deferred<undefined>()
  const release = deferred<Uint8Array>()
  const late = await startTestPlugin(bench.socketPath, {
    index: '50',
    handlers: {
      Synchronize: () => {
        reached.resolve(undefined)
        return release.promise
      },
    },
  })
  await reached.promise
  const during = bench.addContainer('during', { phase: 'creating' })
  const creating = create(bench, during)
  release.resolve(api.SynchronizeResponse.encode({}).finish())
  await Promise.all([late.ready, creating])
  assert.deepEqual(late.synchronized.containers, [before.id])
  for (const plugin of [early, late]) {
    assert.equal(plugin.heard.filter(call => call === 'CreateContainer during').length, 1)
  }
})

test('one that was told and is not shown yet is in the list of a plugin that comes then', async t => {
  const bench = await startNriBench(t)
  const { nri } = bench
  const container = bench.addContainer('hidden', { phase: 'creating' })
  await nri.createContainer(testCtx, { container, spec: sampleSpec })
  const publish = deferred<undefined>()
  const hiddenPod = samplePod()
  const running = nri.runPod(testCtx, hiddenPod, () => publish.promise)
  const plugin = await startTestPlugin(bench.socketPath)
  await plugin.ready
  assert.deepEqual(plugin.synchronized.containers, [container.id])
  assert.deepEqual(plugin.synchronized.pods.sort(), [bench.pod.id, hiddenPod.id].map(String).sort())
  publish.resolve(undefined)
  await running
  await nri.containerAbandoned(testCtx, container)
  assert.deepEqual(plugin.heard.slice(2), ['StopContainer hidden', 'RemoveContainer hidden'])
})

test('plugins update and evict other containers', async t => {
  const bench = await startNriBench(t)
  const other = bench.addContainer('other')
  const plugin = await startTestPlugin(bench.socketPath, {
    handlers: {
      CreateContainer: () =>
        api.CreateContainerResponse.encode({
          update: [{ containerId: other.id, linux: { resources: { cpu: { cpus: '0' } } } }],
          evict: [{ containerId: other.id, reason: 'no room' }],
        }).finish(),
    },
  })
  await plugin.ready
  await create(bench, bench.addContainer('main', { phase: 'created' }))
  assert.deepEqual(
    bench.host.changes.map(({ container, resources }) => [container.id, resources.cpusetCpus]),
    [[other.id, '0']],
  )
  assert.deepEqual(bench.host.evicted, [other])
  const { failed } = await plugin.updateContainers({
    update: [
      { containerId: other.id, linux: { resources: { cpu: { mems: '0' } } } },
      { containerId: 'nobody', linux: { resources: {} } },
      { containerId: other.id, linux: { resources: { rdtClass: { value: 'gold' } } } },
    ],
  })
  assert.deepEqual(
    failed.map(({ containerId }) => containerId),
    ['nobody', other.id],
  )
  assert.equal(bench.host.changes.at(-1)?.resources.cpusetMems, '0')
})

test('an update that fails fails the creation, unless it may', async t => {
  const bench = await startNriBench(t)
  let ignoreFailure = false
  const plugin = await startTestPlugin(bench.socketPath, {
    handlers: {
      CreateContainer: () =>
        api.CreateContainerResponse.encode({
          update: [{ containerId: 'nobody', linux: { resources: {} }, ignoreFailure }],
        }).finish(),
    },
  })
  await plugin.ready
  const container = bench.addContainer('main', { phase: 'creating' })
  const creation = { container, spec: sampleSpec }
  await assert.rejects(bench.nri.createContainer(testCtx, creation), err => isKind(err, 'not-found'))
  ignoreFailure = true
  await bench.nri.createContainer(testCtx, creation)
})

test('a plugin sees and rejects what the others have made of a container', async t => {
  const bench = await startNriBench(t)
  const adjust = {
    env: [{ key: 'A', value: '1' }],
    linux: { resources: { memory: { limit: { value: 5 } } } },
  }
  const seen: api.ValidateContainerAdjustmentRequest[] = []
  const maker = await startTestPlugin(bench.socketPath, {
    name: 'maker',
    handlers: { CreateContainer: () => encodeAdjustment(adjust) },
  })
  const judge = await startTestPlugin(bench.socketPath, {
    name: 'judge',
    index: '20',
    handlers: {
      ValidateContainerAdjustment: payload => {
        seen.push(api.ValidateContainerAdjustmentRequest.decode(payload))
        return api.ValidateContainerAdjustmentResponse.encode({ reject: true, reason: 'too small' }).finish()
      },
    },
  })
  await Promise.all([maker.ready, judge.ready])
  const container = bench.addContainer('main', { phase: 'creating' })
  await assert.rejects(
    bench.nri.createContainer(testCtx, { container, spec: sampleSpec }),
    err => isKind(err, 'permission-denied') && /"20-judge" rejects .*: too small/.test(err.message),
  )
  const [request] = seen
  assert.deepEqual(
    request?.adjust?.env?.map(({ key, value }) => [key, value]),
    [['A', '1']],
  )
  const owners = request.owners?.owners?.[container.id] ?? {}
  assert.equal(owners.simple?.[api.Field.MemLimit], '10-maker')
  assert.equal(owners.compound?.[api.Field.Env]?.owners?.A, '10-maker')
})

function encodeAdjustment(adjust: {
  readonly env: { readonly key: string; readonly value: string }[]
  readonly linux: { readonly resources: { readonly memory: { readonly limit: { readonly value: number } } } }
}): Uint8Array {
  const message: unknown = { adjust }
  return api.CreateContainerResponse.encode(message as api.CreateContainerResponse.$Properties).finish()
}

test('plugins that want different things fail the creation, and both are named', async t => {
  const bench = await startNriBench(t)
  const adjust = { env: [], linux: { resources: { memory: { limit: { value: 5 } } } } }
  const handlers = { CreateContainer: () => encodeAdjustment(adjust) }
  const one = await startTestPlugin(bench.socketPath, { name: 'one', handlers })
  const two = await startTestPlugin(bench.socketPath, { name: 'two', index: '20', handlers })
  await Promise.all([one.ready, two.ready])
  const container = bench.addContainer('main', { phase: 'creating' })
  await assert.rejects(
    bench.nri.createContainer(testCtx, { container, spec: sampleSpec }),
    err => isKind(err, 'failed-precondition') && /"10-one" and "20-two" both set MemLimit/.test(err.message),
  )
})

test('stop says good-bye, removes the socket, and nobody hears of anything afterwards', async t => {
  const bench = await startNriBench(t)
  const plugin = await startTestPlugin(bench.socketPath)
  await plugin.ready
  await bench.nri.podUpdated(testCtx, bench.pod)
  await bench.nri.stop()
  await plugin.connection.closed
  assert.equal(plugin.heard.at(-1), 'Shutdown')
  await assert.rejects(stat(bench.socketPath))
  await bench.nri.stopPod(testCtx, bench.pod)
})

test('a socket that cannot be made fails the start, with its path', async t => {
  const starting = startNriBench(t, { socketPath: '/proc/nri.sock' })
  await assert.rejects(
    starting,
    err => isKind(err, 'failed-precondition') && err.message.includes('/proc/nri.sock'),
  )
})

test('without external connections there is no socket', async t => {
  const bench = await startNriBench(t, { disableExternalConnections: true })
  await assert.rejects(stat(bench.socketPath))
  await create(bench, bench.addContainer('main'))
})
