import assert from 'node:assert/strict'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { int64 } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort, get } from '../harness/http.ts'
import { metricsUrl, type Page, scrape } from '../harness/metrics-page.ts'
import { promtoolPath } from '../harness/paths.ts'
import { type ProgramOutcome, runProgram } from '../harness/program.ts'
import { startPrometheus, whyNoPrometheus } from '../harness/prometheus.ts'
import { useWorld } from '../harness/world.ts'

const noPrometheus = await whyNoPrometheus()
const port = await freePort()
const story = useWorld({ config: `metrics: {enabled: true, port: ${port}}\n` })

/** A page on which all of the values are as expected. */
function shows(values: Readonly<Record<string, number>>): Promise<Page> {
  return eventually(JSON.stringify(values), async () => {
    const page = await scrape(metricsUrl(port))
    return Object.entries(values).every(([name, value]) => page.get(name) === value) ? page : undefined
  })
}

test(
  'the life of a pod shows: RPCs, states, network plugins, OCI runtime, pulls, exits',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod)
    await s.exec(id, 'true')
    const page = await shows({
      'lighter_pods{state="ready"}': 1,
      'lighter_containers{state="running"}': 1,
      lighter_shims: 1,
      lighter_ready: 1,
    })
    const atLeastOnce = [
      'lighter_cri_requests_total{method="RunPodSandbox",code="OK"}',
      'lighter_cri_request_duration_seconds_count{method="ExecSync"}',
      'lighter_cni_plugin_duration_seconds_count{plugin="bridge",command="ADD"}',
      'lighter_oci_runtime_operation_duration_seconds_count{operation="run"}',
      'lighter_oci_runtime_operation_duration_seconds_count{operation="exec"}',
      'lighter_stage_duration_seconds_count{object="pod",stage="network"}',
      'lighter_stage_duration_seconds_count{object="container",stage="root file system"}',
      'lighter_image_pull_duration_seconds_count',
      'lighter_image_layer_downloaded_bytes_total',
      'lighter_images',
      'lighter_image_store_bytes',
      'process_resident_memory_bytes',
    ]
    for (const name of atLeastOnce) assert.ok((page.get(name) ?? 0) >= 1, name)
    assert.equal(page.get('lighter_oci_runtime_operation_errors_total{operation="run"}'), 0)
    await s.cri.client.call(rpc.StopContainer, { containerId: id, timeout: int64(5) })
    await shows({
      'lighter_containers{state="running"}': 0,
      'lighter_containers{state="exited"}': 1,
      'lighter_container_exits_total{reason="Completed"}': 1,
      lighter_shims: 0,
    })
  }),
)

test(
  'what goes wrong is counted: an image that is not there, a command that cannot be started, a failed call',
  story(async s => {
    const before = await scrape(metricsUrl(port))
    const counts = (page: Page, name: string) => (page.get(name) ?? 0) - (before.get(name) ?? 0)
    await assert.rejects(s.cri.pull(`${s.registry.busybox}-none`))
    const pod = await s.runPod()
    const broken = await s.create(pod, { command: ['/no/such/program'] })
    await assert.rejects(s.cri.startContainer(broken))
    const page = await scrape(metricsUrl(port))
    const expected = [
      'lighter_image_pull_failures_total{reason="not-found"}',
      'lighter_oci_runtime_operation_errors_total{operation="run"}',
      'lighter_container_exits_total{reason="StartError"}',
      'lighter_cri_requests_total{method="PullImage",code="NotFound"}',
      'lighter_cri_requests_total{method="StartContainer",code="FailedPrecondition"}',
    ]
    for (const name of expected) assert.equal(counts(page, name), 1, name)
    assert.equal(page.get('lighter_image_pulls_in_progress'), 0)
  }),
)

test(
  'a container that is out of memory is an OOM kill',
  story(async s => {
    const pod = await s.runPod()
    await s.run(pod, {
      shell: 'x=$(head -c 64000000 /dev/zero | tr "\\0" x); sleep 1000',
      resources: { memoryLimitInBytes: int64(16 * 1024 * 1024) },
    })
    await shows({ 'lighter_container_exits_total{reason="OOMKilled"}': 1 })
  }),
)

test(
  'after a restart of the daemon the state is there and the counters begin again',
  story(async s => {
    await s.run(await s.runPod())
    await s.daemon.kill()
    await s.daemon.start()
    const page = await shows({ 'lighter_containers{state="running"}': 1, lighter_shims: 1 })
    assert.equal(page.get('lighter_cri_requests_total{method="RunPodSandbox",code="OK"}'), undefined)
    assert.equal(page.get('lighter_objects_in_stage'), undefined)
  }),
)

test(
  'promtool has nothing to say about the page',
  { skip: noPrometheus },
  story(async s => {
    await s.run(await s.runPod())
    const text = await get(metricsUrl(port))
    const outcome: ProgramOutcome = await runProgram([promtoolPath, 'check', 'metrics'], { input: text })
    assert.deepEqual(outcome, { exitCode: 0, stdout: '', stderr: '' })
  }),
)

test(
  'a real Prometheus finds the target up and answers queries',
  { skip: noPrometheus },
  story(async s => {
    await s.run(await s.runPod())
    const prometheus = await startPrometheus(s.scratch, `127.0.0.1:${port}`)
    try {
      const value = (query: string) => prometheus.query(query)
      await eventually('the target is up', async () => (await value('up')) === 1)
      await eventually('the container is there', async () => {
        return (await value('lighter_containers{state="running"}')) === 1
      })
      assert.equal(await value('count(lighter_build_info)'), 1)
      const calls = await value('sum(lighter_cri_requests_total{method="StartContainer"})')
      assert.ok((calls ?? 0) >= 1)
      const longest =
        'histogram_quantile(0.99, sum by (le) (lighter_oci_runtime_operation_duration_seconds_bucket{operation="run"}))'
      const seconds = (await value(longest)) ?? 0
      assert.ok(seconds > 0 && seconds < 120, String(seconds))
    } finally {
      await prometheus.stop()
    }
  }),
)
