import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type TestContext, test } from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import type { Engine } from '#engine/engine'
import { imageMethods, runtimeMethods } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { createRecordingLog, type RecordingLog } from '../testing/door-fixture.ts'
import { fakeActivity } from '../testing/fake-activity.ts'
import { createFakeEngine } from '../testing/fake-engine.ts'
import { createMetrics } from './create-metrics.ts'
import type { Metrics } from './metrics.ts'
import { type Family, parsePage } from './testing/parse-page.ts'

interface Fixture {
  readonly metrics: Metrics
  readonly log: RecordingLog
  readonly scrape: () => Promise<ReadonlyMap<string, Family>>
  /** One value; undefined when there is none with these labels. */
  readonly value: (name: string, labels?: string) => Promise<number | undefined>
}

/** The real page before a fake engine with some containers, and a pod that is being made. */
async function open(t: TestContext, containers = 0): Promise<Fixture> {
  const engine = createFakeEngine()
  const log = createRecordingLog()
  const ctx = { signal: new AbortController().signal, log }
  engine.finishStart()
  await engine.start(ctx)
  const view = engine.as('k8s.io')
  const stages = [
    { object: 'pod', id: 'a', phase: 'creating', stage: 'network', ageMs: 2500 },
    { object: 'pod', id: 'b', phase: 'creating', stage: 'network', ageMs: 500 },
  ] as const
  const running = new Map(
    Array.from({ length: containers }, (_, i) => [String(i), { phase: 'running' as const }]),
  )
  const node: Engine['node'] = {
    status: () => view.node.status(ctx),
    activity: () => ({ ...fakeActivity({ pods: new Map(), containers: running }), stages }),
  }
  const metrics = createMetrics({
    config: { enabled: true, address: '127.0.0.1', port: 0 },
    version: '1.2.3',
    log,
  })
  const page = await metrics.serve({ engine, view: { node, images: view.images }, sessions: () => 3 })
  t.after(() => page.stop())
  const url = String(log.lines.find(({ message }) => message === 'metrics served')?.fields['url'])
  async function scrape() {
    const answer = await fetch(url)
    assert.equal(answer.status, 200)
    return parsePage(await answer.text())
  }
  return {
    metrics,
    log,
    scrape,
    async value(name, labels = '') {
      const family = name.replace(/_(sum|count)$/, '')
      const found = (await scrape()).get(family) ?? (await scrape()).get(name)
      return found?.samples.get(`${name}${labels}`)
    },
  }
}

const failed = { ms: 40, failure: 'unavailable' } as const

/** Makes every metric have a value. */
function driveAll({ rpcs, engine }: Metrics): void {
  rpcs.began({ name: 'Version', isServerStream: false })
  rpcs.ended({ name: 'Version', isServerStream: false, code: grpcCode.ok, ms: 3 })
  engine.pluginRan({ plugin: 'bridge', command: 'ADD', ...failed })
  engine.runtimeRan({ operation: 'run', ...failed })
  engine.containerExited('OOMKilled')
  engine.pullBegan()
  engine.pullEnded(failed)
  engine.layerDownloaded(1000)
  engine.stageLeft({ object: 'pod', stage: 'network', ms: 20 })
}

interface Documented {
  readonly type: string
  readonly labels: readonly string[]
  readonly help: string
}

/** Rows of the tables of METRICS.md. */
async function documented(): Promise<ReadonlyMap<string, Documented>> {
  const path = join(import.meta.dirname, '..', '..', '..', 'METRICS.md')
  const rows = (await readFile(path, 'utf8')).matchAll(
    /^\| `(\w+)` +\| (\w+) +\| ([^|]*?) *\| ([^|]*?) *\|$/gm,
  )
  return new Map(
    [...rows].map(([, name = '', type = '', labels = '', help = '']) => [
      name,
      { type, labels: [...labels.matchAll(/`(\w+)`/g)].map(match => match[1] ?? '').sort(), help },
    ]),
  )
}

test('METRICS.md lists what is served, and nothing else: name, type, labels, meaning', async t => {
  const { metrics, scrape, log } = await open(t, 1)
  driveAll(metrics)
  // Collections of garbage are told a little later.
  let served = await scrape()
  const waste: unknown[] = []
  for (let i = 0; i < 200 && served.get('lighter_gc_duration_seconds')?.samples.size === 0; i++) {
    for (let j = 0; j < 20_000; j++) waste.push({ i, j })
    waste.length = 0
    served = await scrape()
  }
  const shown = [...served].map(([name, { type, help, labels }]) => [
    name,
    { type, help, labels: [...labels].sort() },
  ])
  const sorted = (rows: readonly (readonly [string, unknown] | unknown[])[]) =>
    [...rows].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  assert.deepEqual(sorted(shown), sorted([...(await documented())]))
  for (const [name, { samples }] of served) assert.ok(samples.size > 0, `${name} has no value`)
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 0)
})

test('RPCs are counted by code, timed unless they are streams, and shown while they last', async t => {
  const { metrics, value } = await open(t)
  const { rpcs } = metrics
  const [unary, stream] = [
    { name: 'RunPodSandbox', isServerStream: false },
    { name: 'GetContainerEvents', isServerStream: true },
  ]
  rpcs.began(unary)
  rpcs.began(unary)
  rpcs.began(stream)
  assert.equal(await value('lighter_cri_requests_in_flight', '{method="RunPodSandbox"}'), 2)
  rpcs.ended({ ...unary, code: grpcCode.ok, ms: 1500 })
  rpcs.ended({ ...unary, code: grpcCode.deadlineExceeded, ms: 500 })
  rpcs.ended({ ...stream, code: grpcCode.cancelled, ms: 500 })
  const requests = 'lighter_cri_requests_total'
  assert.equal(await value(requests, '{method="RunPodSandbox",code="OK"}'), 1)
  assert.equal(await value(requests, '{method="RunPodSandbox",code="DeadlineExceeded"}'), 1)
  assert.equal(await value(requests, '{method="GetContainerEvents",code="Cancelled"}'), 1)
  const duration = 'lighter_cri_request_duration_seconds'
  assert.equal(await value(`${duration}_sum`, '{method="RunPodSandbox"}'), 2)
  assert.equal(await value(`${duration}_count`, '{method="GetContainerEvents"}'), undefined)
  assert.equal(await value('lighter_cri_requests_in_flight', '{method="RunPodSandbox"}'), 0)
})

test('what the engine tells is counted', async t => {
  const { metrics, value } = await open(t)
  driveAll(metrics)
  const ok = { ms: 60, failure: undefined }
  metrics.engine.pluginRan({ plugin: 'bridge', command: 'ADD', ...ok })
  metrics.engine.runtimeRan({ operation: 'run', ...ok })
  metrics.engine.pullBegan()
  const values = [
    ['lighter_cni_plugin_duration_seconds_count', '{plugin="bridge",command="ADD"}', 2],
    ['lighter_cni_plugin_errors_total', '{plugin="bridge",command="ADD"}', 1],
    ['lighter_oci_runtime_operation_duration_seconds_sum', '{operation="run"}', 0.1],
    ['lighter_oci_runtime_operation_errors_total', '{operation="run"}', 1],
    ['lighter_container_exits_total', '{reason="OOMKilled"}', 1],
    ['lighter_image_pulls_in_progress', '', 1],
    ['lighter_image_pull_failures_total', '{reason="unavailable"}', 1],
    ['lighter_image_layer_downloaded_bytes_total', '', 1000],
    ['lighter_stage_duration_seconds_sum', '{object="pod",stage="network"}', 0.02],
  ] as const
  for (const [name, labels, expected] of values) {
    assert.equal(await value(name, labels), expected, `${name}${labels}`)
  }
})

test('the state of the node is looked up: pods, containers, retries, stages with the oldest', async t => {
  const { value } = await open(t, 3)
  const values = [
    ['lighter_containers', '{state="running"}', 3],
    ['lighter_containers', '{state="exited"}', 0],
    ['lighter_pods', '{state="ready"}', 0],
    ['lighter_shims', '', 3],
    ['lighter_retries_joined_total', '', 2],
    ['lighter_objects_in_stage', '{object="pod",stage="network"}', 2],
    ['lighter_stage_oldest_seconds', '{object="pod",stage="network"}', 2.5],
    ['lighter_streaming_sessions', '', 3],
    ['lighter_ready', '', 1],
    ['lighter_build_info', '{version="1.2.3"}', 1],
  ] as const
  for (const [name, labels, expected] of values) {
    assert.equal(await value(name, labels), expected, `${name}${labels}`)
  }
})

test('a daemon that is starting shows that it is not ready', async t => {
  const engine = createFakeEngine()
  const log = createRecordingLog()
  const metrics = createMetrics({
    config: { enabled: true, address: '127.0.0.1', port: 0 },
    version: '1',
    log,
  })
  const page = await metrics.serve({ engine, view: engine.as('k8s.io'), sessions: () => 0 })
  t.after(() => page.stop())
  const answer = await fetch(String(log.lines[0]?.fields['url']))
  assert.match(await answer.text(), /^lighter_ready 0$/m)
})

test('names from outside make a bounded number of series', async t => {
  const { metrics, scrape, value } = await open(t)
  for (let i = 0; i < 1000; i++) {
    metrics.engine.pluginRan({ plugin: `plugin-${i}`, command: 'ADD', ms: 1, failure: undefined })
    metrics.engine.stageLeft({ object: 'pod', stage: `stage ${i}`, ms: 1 })
  }
  assert.equal((await scrape()).get('lighter_cni_plugin_errors_total')?.samples.size, 33)
  assert.equal(
    await value('lighter_cni_plugin_duration_seconds_count', '{plugin="other",command="ADD"}'),
    968,
  )
})

test('a page that cannot listen leaves nothing that measures', async t => {
  const { log } = await open(t)
  const port = Number(new URL(String(log.lines[0]?.fields['url'])).port)
  const engine = createFakeEngine()
  const config = { enabled: true, address: '127.0.0.1', port }
  const metrics = createMetrics({ config, version: '1', log })
  await assert.rejects(
    metrics.serve({ engine, view: engine.as('k8s.io'), sessions: () => 0 }),
    err => err instanceof RuntimeError && isKind(err, 'failed-precondition'),
  )
})

/** The longest that scrapes hold up the event loop; a machine under load does that, too. */
const maxBlockMs = 50

test('a scrape of a node with 200 containers and every RPC in use does not hold up the event loop', async t => {
  const { metrics, scrape } = await open(t, 200)
  for (const { name, isServerStream } of [...Object.values(runtimeMethods), ...Object.values(imageMethods)]) {
    for (const code of [grpcCode.ok, grpcCode.notFound, grpcCode.unavailable]) {
      metrics.rpcs.began({ name, isServerStream })
      metrics.rpcs.ended({ name, isServerStream, code, ms: 5 })
    }
  }
  driveAll(metrics)
  await scrape()
  const blocks: number[] = []
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  for (let i = 0; i < 15; i++) {
    delays.reset()
    await scrape()
    blocks.push(delays.max / 1e6)
  }
  delays.disable()
  const median = blocks.sort((a, b) => a - b)[7] ?? 0
  t.diagnostic(`longest block of a scrape, median of 15: ${median.toFixed(1)} ms`)
  assert.ok(median < maxBlockMs, blocks.join(' '))
})
