import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import { sampleContainer, samplePod, samplePodConfig } from '../testing/samples.ts'
import { layerLimits } from './layer-usage.ts'
import { sampleLimits } from './sampler.ts'
import { legacyFiles, unifiedFiles } from './testing/fixture-tree.ts'
import { makeStatsBench, type StatsBench } from './testing/stats-bench.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }

/** One running container in the cgroup /p/id, its layer measured. */
async function withContainer(bench: StatsBench): Promise<ReturnType<typeof sampleContainer>> {
  const container = sampleContainer({ phase: 'running', cgroupsPath: '/p/id', pid: process.pid })
  bench.containers = [container]
  await bench.tree.write(unifiedFiles('p/id'))
  return container
}

async function ask(bench: StatsBench, id: string, bytes: number) {
  const known = bench.walks.length
  const asked = bench.stats.container(ctx, id)
  await new Promise(resolve => setImmediate(resolve))
  bench.walks[known]?.finish(bytes)
  return asked
}

test('figures are read again only after a while', async t => {
  const bench = await makeStatsBench(t)
  const { id } = await withContainer(bench)
  assert.equal((await ask(bench, id, 10)).memory.usage, 50331648)
  await bench.tree.write({ 'p/id/memory.current': '8\n' })
  await bench.clock.advance(sampleLimits.freshMs - 1)
  assert.equal((await ask(bench, id, 10)).memory.usage, 50331648)
  await bench.clock.advance(1)
  assert.equal((await ask(bench, id, 10)).memory.usage, 8)
})

test('callers at the same time share one look', async t => {
  const bench = await makeStatsBench(t)
  const { id } = await withContainer(bench)
  const [one, two] = await Promise.all([bench.stats.containers(ctx, {}), bench.stats.containers(ctx, { id })])
  assert.equal(one[0]?.timestampNs, two[0]?.timestampNs)
})

test('the use of CPU is told from the second look on', async t => {
  const bench = await makeStatsBench(t)
  const { id } = await withContainer(bench)
  assert.equal((await ask(bench, id, 1)).cpu.usageNanoCores, undefined)
  await bench.tree.write({ 'p/id/cpu.stat': 'usage_usec 3000000\n' })
  await bench.clock.advance(1000)
  const half = (await ask(bench, id, 1)).cpu.usageNanoCores ?? 0
  assert.ok(Math.abs(half - 500_000_000) < 1000, String(half))
  await bench.tree.write({ 'p/id/cpu.stat': 'usage_usec 1\n' })
  await bench.clock.advance(1000)
  assert.equal((await ask(bench, id, 1)).cpu.usageNanoCores, undefined)
})

test('a container whose cgroup has gone has zeros', async t => {
  const bench = await makeStatsBench(t)
  const container = await withContainer(bench)
  await ask(bench, container.id, 1)
  bench.containers = [{ ...container, phase: 'exited' }]
  await rm(join(bench.tree.root, 'p'), { recursive: true })
  const { cpu, memory } = await ask(bench, container.id, 1)
  assert.deepEqual([cpu.usageNs, memory.usage], [0n, 0])
})

test('a writable layer is walked only when its figure is old', async t => {
  const bench = await makeStatsBench(t)
  const { id } = await withContainer(bench)
  await ask(bench, id, 10)
  await bench.clock.advance(layerLimits.freshMs - 1)
  assert.equal((await ask(bench, id, 20)).writableLayer?.bytes, 10)
  assert.equal(bench.walks.length, 1)
  await bench.clock.advance(1)
  assert.equal((await ask(bench, id, 30)).writableLayer?.bytes, 30)
  assert.equal(bench.walks.length, 2)
})

test('one container waits for a long walk only for a while, and what it finds is used later', async t => {
  const bench = await makeStatsBench(t)
  const { id } = await withContainer(bench)
  await ask(bench, id, 10)
  await bench.clock.advance(layerLimits.freshMs)
  const asked = bench.stats.container(ctx, id)
  await bench.clock.advance(layerLimits.waitMs)
  assert.equal((await asked).writableLayer?.bytes, 10)
  bench.walks[1]?.finish(20)
  assert.equal((await ask(bench, id, 99)).writableLayer?.bytes, 20)
  assert.equal(bench.walks.length, 2)
})

test('a list never waits for a walk', async t => {
  const bench = await makeStatsBench(t)
  await withContainer(bench)
  const [first] = await bench.stats.containers(ctx, {})
  assert.equal(first?.writableLayer, undefined)
  bench.walks[0]?.finish(20)
  await new Promise(resolve => setImmediate(resolve))
  const [second] = await bench.stats.containers(ctx, {})
  assert.deepEqual(second?.writableLayer, { mountpoint: bench.tree.root, bytes: 20, inodes: 1 })
})

test('there is no writable layer when nothing is known of it', async t => {
  const bench = await makeStatsBench(t)
  const { id } = await withContainer(bench)
  const asked = bench.stats.container(ctx, id)
  await new Promise(resolve => setImmediate(resolve))
  bench.walks[0]?.fail(new RuntimeError('not-found', 'gone'))
  assert.equal((await asked).writableLayer, undefined)
})

test('a list leaves out containers that have exited, unless they are asked for', async t => {
  const bench = await makeStatsBench(t)
  const [running, exited, created] = (['running', 'exited', 'created'] as const).map(phase =>
    sampleContainer({ phase }),
  )
  assert.ok(running && exited && created)
  bench.containers = [running, exited, created]
  const listed = async (filter: Parameters<StatsBench['stats']['containers']>[1]) =>
    (await bench.stats.containers(ctx, filter)).map(({ id }) => id)
  assert.deepEqual(await listed({}), [running.id, created.id])
  assert.deepEqual(await listed({ id: exited.id }), [exited.id])
})

test('what is not known is not found', async t => {
  const bench = await makeStatsBench(t)
  await assert.rejects(bench.stats.container(ctx, 'x'), err => isKind(err, 'not-found'))
  await assert.rejects(bench.stats.pod(ctx, 'x'), err => isKind(err, 'not-found'))
})

test('nothing is read for a caller that is gone', async t => {
  const bench = await makeStatsBench(t)
  const { id, podId } = await withContainer(bench)
  bench.pods = [samplePod({ id: podId })]
  const gone = { signal: AbortSignal.abort(), log: silentLog }
  for (const asked of [
    () => bench.stats.container(gone, id),
    () => bench.stats.containers(gone, {}),
    () => bench.stats.pod(gone, podId),
    () => bench.stats.metrics(gone),
  ]) {
    await assert.rejects(asked, err => isKind(err, 'cancelled'))
  }
  assert.deepEqual(bench.host.calls, [])
  assert.equal(bench.walks.length, 0)
})

const netDevices = [
  'Inter-|   Receive                                                |  Transmit',
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
  '    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0',
  '  eth0: 1500 10 1 2 0 0 0 0 2500 20 3 4 0 0 0 0',
  '',
].join('\n')

test('a pod without a cgroup of its own is the sum of its containers', async t => {
  const bench = await makeStatsBench(t)
  const pod = samplePod({ pausePid: 42 })
  bench.pods = [pod]
  bench.containers = ['a', 'b'].map(name =>
    sampleContainer({ podId: pod.id, phase: 'running', cgroupsPath: `/p/${name}` }),
  )
  await bench.tree.write({ ...unifiedFiles('p/a'), ...unifiedFiles('p/b') })
  bench.host.netDevicesOf.set(bench.pin(pod), netDevices)
  for (const name of ['a', 'b']) {
    bench.host.openFilesOf.set(join(bench.tree.root, 'p', name), { processes: 3, files: 9, sockets: 1 })
  }
  const found = await bench.stats.pod(ctx, pod.id)
  assert.equal(found.cpu.usageNs, 5_000_000_000n)
  assert.equal(found.cpu.pressure, undefined)
  assert.equal(found.memory.workingSet, 2 * 46137344)
  assert.deepEqual(found.swap, { usage: 2097152, available: undefined })
  assert.equal(found.processes, 7)
  assert.deepEqual(
    found.containers.map(({ id }) => id),
    bench.containers.map(({ id }) => id),
  )
  assert.deepEqual(found.network?.interfaces, [
    {
      name: 'eth0',
      rx: { bytes: 1500, packets: 10, errors: 1, dropped: 2 },
      tx: { bytes: 2500, packets: 20, errors: 3, dropped: 4 },
    },
  ])
})

test('a pod with a cgroup of its own has the figures of that', async t => {
  for (const kind of ['v1', 'v2'] as const) {
    const bench = await makeStatsBench(t, kind)
    const metadata = { ...samplePodConfig().metadata, uid: 'a-b' }
    const pod = samplePod({ config: samplePodConfig({ metadata, cgroupParent: '/kubepods/poda-b' }) })
    bench.pods = [pod]
    bench.containers = [
      sampleContainer({ podId: pod.id, phase: 'running', cgroupsPath: '/kubepods/poda-b/c' }),
    ]
    await bench.tree.write((kind === 'v1' ? legacyFiles : unifiedFiles)('kubepods/poda-b'))
    const procs = join(bench.tree.root, kind === 'v1' ? 'pids' : '', 'kubepods/poda-b')
    bench.host.openFilesOf.set(procs, { processes: 5, files: 0, sockets: 0 })
    const found = await bench.stats.pod(ctx, pod.id)
    assert.equal(found.memory.workingSet, 46137344, kind)
    assert.equal(found.processes, 5, kind)
    assert.equal(found.containers[0]?.memory.usage, 0, kind)
  }
})

test('a list of pods leaves out those that are not ready, unless they are asked for', async t => {
  const bench = await makeStatsBench(t)
  const [ready, notready] = [samplePod(), samplePod({ phase: 'notready' })]
  bench.pods = [ready, notready]
  const listed = async (filter: Parameters<StatsBench['stats']['pods']>[1]) =>
    (await bench.stats.pods(ctx, filter)).map(({ id }) => id)
  assert.deepEqual(await listed({}), [ready.id])
  assert.deepEqual(await listed({ id: notready.id }), [notready.id])
  assert.equal((await bench.stats.pod(ctx, notready.id)).network, undefined)
})

test('pods with the network of the host have no traffic of their own', async t => {
  const bench = await makeStatsBench(t)
  const namespaces = { ...samplePodConfig().namespaces, network: 'node' } as const
  bench.pods = [samplePod({ config: samplePodConfig({ namespaces }) })]
  const [found] = await bench.stats.pods(ctx, {})
  assert.equal(found?.network, undefined)
  assert.deepEqual(bench.host.calls, [])
})

test('the networks of many pods are read with few requests, and not again for a while', async t => {
  const bench = await makeStatsBench(t)
  bench.pods = Array.from({ length: 100 }, () => samplePod())
  for (const pod of bench.pods) bench.host.netDevicesOf.set(bench.pin(pod), netDevices)
  const found = await bench.stats.pods(ctx, {})
  assert.ok(found.every(({ network }) => network?.interfaces.length === 1))
  await bench.stats.pods(ctx, {})
  assert.equal(bench.host.calls.length, 3)
  await bench.clock.advance(sampleLimits.freshMs)
  await bench.stats.pods(ctx, {})
  assert.equal(bench.host.calls.length, 6)
})

test('a network that cannot be read is an error, and read again by the next call', async t => {
  const bench = await makeStatsBench(t)
  bench.pods = [samplePod()]
  bench.host.fail('netDevices', new RuntimeError('unavailable', 'lighter-host ended'))
  await assert.rejects(bench.stats.pods(ctx, {}), err => isKind(err, 'unavailable'))
  bench.host.succeed('netDevices')
  assert.equal((await bench.stats.pods(ctx, {})).length, 1)
})

test('metrics have what is open, what is limited and where the writable layer is', async t => {
  const bench = await makeStatsBench(t)
  const pod = samplePod()
  bench.pods = [pod, samplePod({ phase: 'notready' })]
  const created = sampleContainer({ podId: pod.id, phase: 'created' })
  bench.containers = [{ ...(await withContainer(bench)), podId: pod.id }, created]
  bench.host.openFilesOf.set(join(bench.tree.root, 'p/id'), { processes: 3, files: 9, sockets: 1 })
  const [found, ...more] = await bench.stats.metrics(ctx)
  assert.deepEqual(more, [])
  const [running, idle] = found?.containers ?? []
  assert.equal(running?.cgroup, '/p/id')
  assert.deepEqual(running.files, { processes: 3, files: 9, sockets: 1 })
  assert.equal(running.detail.oomKills, 1)
  assert.ok((running.openFilesLimit ?? 0) > 0)
  assert.ok(running.fileSystem.bytes > 0)
  assert.deepEqual(idle?.files, { processes: 0, files: 0, sockets: 0 })
  assert.equal(idle.openFilesLimit, undefined)
})
