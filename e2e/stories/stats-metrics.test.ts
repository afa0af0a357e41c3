import assert from 'node:assert/strict'
import { readdir, readlink } from 'node:fs/promises'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { int64 } from '../harness/configs.ts'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { eventually } from '../harness/eventually.ts'
import { type Story, useWorld } from '../harness/world.ts'
import { number } from '../harness/wrapped-number.ts'

const story = useWorld()
const noCrictl = await whyNoCrictl()

/** What only some machines have: block devices that count, huge pages, pressure. */
const optional = /^container_(blkio|fs_reads|fs_writes|hugetlb|pressure)_/

type Find = (name: string) => readonly { readonly labels: Record<string, string>; readonly value: number }[]

async function metricsOf(s: Story): Promise<Find> {
  const { descriptors } = await s.cri.client.call(rpc.ListMetricDescriptors, {})
  const { podMetrics } = await s.cri.client.call(rpc.ListPodSandboxMetrics, {})
  const all = podMetrics.flatMap(pod => [
    ...(pod.metrics ?? []),
    ...(pod.containerMetrics ?? []).flatMap(container => container.metrics ?? []),
  ])
  return name =>
    all
      .filter(metric => metric.name === name)
      .map(({ labelValues, value }) => {
        const keys = descriptors.find(descriptor => descriptor.name === name)?.labelKeys ?? []
        assert.equal(labelValues?.length, keys.length, name)
        const labels = Object.fromEntries(keys.map((key, index) => [key, labelValues[index] ?? '']))
        return { labels, value: number(value) ?? Number.NaN }
      })
}

test(
  'every metric is there, and says what the container really does',
  story(async s => {
    const pod = await s.runPod({ name: 'measured' })
    const mebibyte = 1024 * 1024
    const id = await s.run(pod, {
      shell: 'sleep 1000 & exec 5</dev/null; while :; do :; done',
      resources: {
        cpuPeriod: int64(100_000),
        cpuQuota: int64(20_000),
        cpuShares: int64(512),
        memoryLimitInBytes: int64(64 * mebibyte),
      },
    })
    const find = await eventually('the container has been throttled', async () => {
      const found = await metricsOf(s)
      return (found('container_cpu_cfs_throttled_periods_total')[0]?.value ?? 0) > 0 ? found : undefined
    })
    const { descriptors } = await s.cri.client.call(rpc.ListMetricDescriptors, {})
    const absent = descriptors.flatMap(({ name = '' }) => (find(name ?? '').length > 0 ? [] : [name ?? '']))
    assert.deepEqual(
      absent.filter(name => !optional.test(name)),
      [],
    )
    const one = (name: string): number => {
      const [sample, ...more] = find(name)
      assert.ok(sample && more.length === 0, name)
      assert.equal(sample.labels.name, id, name)
      assert.equal(sample.labels.container, 'main', name)
      assert.equal(sample.labels.pod, 'measured', name)
      assert.equal(sample.labels.namespace, 'e2e', name)
      assert.equal(sample.labels.image, s.registry.busybox, name)
      return sample.value
    }
    assert.equal(one('container_processes'), 2)
    assert.equal(one('container_threads'), 2)
    assert.ok(one('container_file_descriptors') >= 7)
    assert.equal(one('container_sockets'), 0)
    assert.equal(one('container_spec_cpu_quota'), 20_000)
    assert.equal(one('container_spec_cpu_shares'), 512)
    assert.equal(one('container_spec_memory_limit_bytes'), 64 * mebibyte)
    assert.ok(one('container_memory_working_set_bytes') > 0)
    assert.ok(one('container_fs_limit_bytes') > mebibyte)
    assert.ok(Math.abs(one('container_start_time_seconds') - Date.now() / 1000) < 60)
    assert.ok(one('container_ulimits_soft') > 0)
    const received = find('container_network_receive_bytes_total')
    assert.deepEqual(
      received.map(({ labels }) => [labels.pod, labels.container, labels.interface]),
      [['measured', 'POD', 'eth0']],
    )
  }),
)

test(
  'a killed container counts an OOM event',
  story(async s => {
    const pod = await s.runPod()
    await s.run(pod, {
      shell: 'while :; do sh -c "head -c 100000000 /dev/zero | tail" ; sleep 0.2; done',
      resources: { memoryLimitInBytes: int64(20 * 1024 * 1024) },
    })
    await eventually('the kernel has killed a child', async () => {
      const find = await metricsOf(s)
      return (find('container_oom_events_total')[0]?.value ?? 0) > 0 ? true : undefined
    })
  }),
)

test(
  'many looks leave no descriptor of a cgroup open that is gone',
  story(async s => {
    const pod = await s.runPod()
    for (const name of ['a', 'b', 'c']) {
      const id = await s.run(pod, { name })
      await Promise.all(Array.from({ length: 10 }, () => s.cri.client.call(rpc.ListContainerStats, {})))
      await s.cri.removeContainer(id)
    }
    await s.cri.client.call(rpc.ListContainerStats, {})
    await eventually('the daemon has no cgroup file open', async () => {
      const directory = `/proc/${String(s.daemon.pid())}/fd`
      const fds = await readdir(directory)
      const targets = await Promise.all(fds.map(fd => readlink(`${directory}/${fd}`).catch(() => '')))
      return targets.every(target => !target.startsWith('/sys/fs/cgroup')) || undefined
    })
  }),
)

test(
  'crictl shows metrics and their descriptions',
  { skip: noCrictl },
  story(async s => {
    const crictl = await createCrictl(s.scratch)
    await s.run(await s.runPod({ name: 'measured' }))
    const metrics = await crictl('metricsp')
    for (const part of ['"container_threads"', '"eth0"', '"measured"', '"podSandboxId"']) {
      assert.ok(metrics.includes(part), part)
    }
    assert.match(await crictl('metricdescs'), /"container_threads"/)
  }),
)
