import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { v1 } from '#proto'
import { fromNumber } from '../convert/integers.ts'
import { runtimeMethods as rpc } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { type DoorFixture, openTestDoor } from '../testing/door-fixture.ts'
import { samplePodId } from '../testing/samples.ts'

const metadata = { name: 'shop', uid: 'uid', namespace: 'sales', attempt: 3 }

interface Shop extends DoorFixture {
  readonly podId: string
  readonly containerId: string
}

/** A pod with one container that has a CPU quota. */
async function openShop(t: TestContext): Promise<Shop> {
  const door = await openTestDoor(t)
  const config = { metadata, labels: { app: 'shop' }, annotations: { note: 'x' } }
  const { podSandboxId } = await door.client.call(rpc.RunPodSandbox, { config })
  const { containerId } = await door.client.call(rpc.CreateContainer, {
    podSandboxId,
    config: {
      metadata: { name: 'main', attempt: 0 },
      image: { image: 'docker.io/library/web:1', userSpecifiedImage: 'web:1' },
      linux: { resources: { cpuQuota: fromNumber(20_000), cpuShares: fromNumber(512) } },
    },
  })
  return { ...door, podId: podSandboxId, containerId }
}

function text(value: v1.UInt64Value.$Properties | null | undefined): string | undefined {
  return value?.value?.toString()
}

test('container stats have swap, and pressure where the kernel has it', async t => {
  const { client, containerId } = await openShop(t)
  const { stats } = await client.call(rpc.ContainerStats, { containerId })
  assert.equal(text(stats?.cpu?.usageNanoCores), '250000000')
  assert.equal(stats?.cpu?.psi?.Some?.Avg10, 1.5)
  assert.equal(stats.cpu.psi.Full?.Total?.toString(), '1234567')
  assert.equal(stats.memory?.psi?.Some?.Avg60, 0.25)
  assert.equal(stats.io?.psi?.Full?.Avg10, 0.5)
  assert.equal(text(stats.memory.availableBytes), '90')
  assert.equal(text(stats.swap?.swapUsageBytes), '4096')
  assert.equal(stats.swap?.swapAvailableBytes, null)
})

test('pod stats: the default interface apart from the others, processes, containers', async t => {
  const { client, podId, containerId } = await openShop(t)
  const { stats } = await client.call(rpc.PodSandboxStats, { podSandboxId: podId.slice(0, 63) })
  assert.equal(stats?.attributes?.id, podId)
  assert.deepEqual({ ...stats.attributes.metadata }, metadata)
  assert.deepEqual(stats.attributes.labels, { app: 'shop' })
  assert.deepEqual(stats.attributes.annotations, { note: 'x' })
  const linux = stats.linux
  assert.equal(text(linux?.cpu?.usageCoreNanoSeconds), '9007199254740993')
  assert.equal(text(linux?.memory?.workingSetBytes), '10')
  assert.equal(linux?.io?.psi?.Some?.Avg10, 1.5)
  assert.equal(text(linux.process?.processCount), '2')
  assert.equal(linux.network?.defaultInterface?.name, 'eth0')
  assert.equal(text(linux.network.defaultInterface.rxBytes), '300')
  assert.equal(text(linux.network.defaultInterface.txErrors), '402')
  assert.deepEqual(
    linux.network.interfaces?.map(({ name }) => name),
    ['net1'],
  )
  assert.deepEqual(
    linux.containers?.map(one => one.attributes?.id),
    [containerId],
  )
})

test('lists of pod stats are filtered by id and labels', async t => {
  const { client, podId } = await openShop(t)
  const listed = async (filter: v1.PodSandboxStatsFilter.$Properties) => {
    const { stats } = await client.call(rpc.ListPodSandboxStats, { filter })
    return stats.map(one => one.attributes?.id)
  }
  assert.deepEqual(await listed({}), [podId])
  assert.deepEqual(await listed({ id: podId.slice(0, 62) }), [podId])
  assert.deepEqual(await listed({ labelSelector: { app: 'shop' } }), [podId])
  assert.deepEqual(await listed({ labelSelector: { app: 'other' } }), [])
  assert.deepEqual(await listed({ id: 'ffff' }), [])
})

test('pod stats: an empty id is INVALID_ARGUMENT, an unknown one NOT_FOUND', async t => {
  const { client } = await openTestDoor(t)
  await assert.rejects(client.call(rpc.PodSandboxStats, {}), { code: grpcCode.invalidArgument })
  await assert.rejects(client.call(rpc.PodSandboxStats, { podSandboxId: samplePodId(99) }), {
    code: grpcCode.notFound,
  })
})

/** The names that critest wants (cri-tools pkg/validate/pod.go, after 1.36). */
const names = `
  container_blkio_device_usage_total container_cpu_cfs_periods_total container_cpu_cfs_throttled_periods_total
  container_cpu_cfs_throttled_seconds_total container_cpu_system_seconds_total container_cpu_usage_seconds_total
  container_cpu_user_seconds_total container_file_descriptors container_fs_inodes_free container_fs_inodes_total
  container_fs_limit_bytes container_fs_reads_bytes_total container_fs_reads_total container_fs_usage_bytes
  container_fs_writes_bytes_total container_fs_writes_total container_hugetlb_max_usage_bytes
  container_hugetlb_usage_bytes container_last_seen container_memory_cache container_memory_failcnt
  container_memory_failures_total container_memory_kernel_usage container_memory_mapped_file
  container_memory_max_usage_bytes container_memory_rss container_memory_swap container_memory_usage_bytes
  container_memory_working_set_bytes container_network_receive_bytes_total container_network_receive_errors_total
  container_network_receive_packets_dropped_total container_network_receive_packets_total
  container_network_transmit_bytes_total container_network_transmit_errors_total
  container_network_transmit_packets_dropped_total container_network_transmit_packets_total
  container_oom_events_total container_pressure_cpu_stalled_seconds_total
  container_pressure_cpu_waiting_seconds_total container_pressure_io_stalled_seconds_total
  container_pressure_io_waiting_seconds_total container_pressure_memory_stalled_seconds_total
  container_pressure_memory_waiting_seconds_total container_processes container_sockets container_spec_cpu_period
  container_spec_cpu_quota container_spec_cpu_shares container_spec_memory_limit_bytes
  container_spec_memory_reservation_limit_bytes container_spec_memory_swap_limit_bytes
  container_start_time_seconds container_threads container_threads_max container_ulimits_soft`
  .trim()
  .split(/\s+/)

test('all 56 metrics are described once, with a help text and labels', async t => {
  const { client } = await openTestDoor(t)
  const { descriptors } = await client.call(rpc.ListMetricDescriptors, {})
  assert.equal(names.length, 56)
  assert.deepEqual(descriptors.map(({ name }) => name).sort(), names)
  assert.ok(descriptors.every(({ help, labelKeys }) => help && labelKeys && labelKeys.length >= 6))
})

/** Labels by key, of the metrics with this name. */
async function labelled(shop: Shop): Promise<(name: string) => readonly Record<string, string>[]> {
  const { descriptors } = await shop.client.call(rpc.ListMetricDescriptors, {})
  const { podMetrics } = await shop.client.call(rpc.ListPodSandboxMetrics, {})
  const all = podMetrics.flatMap(pod => [
    ...(pod.metrics ?? []),
    ...(pod.containerMetrics ?? []).flatMap(container => container.metrics ?? []),
  ])
  return name =>
    all
      .filter(metric => metric.name === name)
      .map(metric => {
        const keys = descriptors.find(descriptor => descriptor.name === name)?.labelKeys ?? []
        assert.equal(metric.labelValues?.length, keys.length, name)
        const labels = Object.fromEntries(keys.map((key, index) => [key, metric.labelValues?.[index] ?? '']))
        return { ...labels, '=': text(metric.value) ?? '', type: String(metric.metricType) }
      })
}

test('every metric that is described is there, with its labels in order', async t => {
  const shop = await openShop(t)
  const find = await labelled(shop)
  const absent = names.filter(name => find(name).length === 0)
  assert.deepEqual(absent, ['container_hugetlb_max_usage_bytes'])
  const own = {
    container: 'main',
    id: `/kubepods/pod/${shop.containerId}`,
    image: 'web:1',
    name: shop.containerId,
    namespace: 'sales',
    pod: 'shop',
  }
  const pod = { ...own, container: '', id: `/kubepods/${shop.podId}`, image: '', name: '' }
  const counter = { type: '0' }
  const gauge = { type: '1' }
  assert.deepEqual(find('container_threads'), [{ ...own, ...gauge, '=': '3' }])
  assert.deepEqual(find('container_cpu_usage_seconds_total'), [
    { ...pod, ...counter, cpu: 'total', '=': '9007199' },
    { ...own, ...counter, cpu: 'total', '=': '9007199' },
  ])
  assert.deepEqual(find('container_cpu_system_seconds_total'), [{ ...own, ...counter, '=': '2' }])
  assert.deepEqual(find('container_pressure_cpu_waiting_seconds_total'), [
    { ...pod, ...counter, '=': '7' },
    { ...own, ...counter, '=': '7' },
  ])
  assert.deepEqual(find('container_network_transmit_packets_dropped_total'), [
    { ...pod, ...counter, container: 'POD', name: shop.podId, interface: 'net1', '=': '203' },
    { ...pod, ...counter, container: 'POD', name: shop.podId, interface: 'eth0', '=': '403' },
  ])
  assert.deepEqual(find('container_blkio_device_usage_total')[1], {
    ...own,
    ...counter,
    device: '/dev/vda',
    major: '254',
    minor: '0',
    operation: 'Write',
    '=': '8192',
  })
  assert.deepEqual(find('container_fs_usage_bytes'), [{ ...own, ...gauge, device: '/dev/vda1', '=': '4096' }])
  assert.deepEqual(find('container_ulimits_soft'), [
    { ...own, ...gauge, ulimit: 'max_open_files', '=': '1024' },
  ])
  assert.deepEqual(find('container_spec_cpu_quota'), [{ ...own, ...gauge, '=': '20000' }])
  assert.deepEqual(find('container_spec_cpu_shares'), [{ ...own, ...gauge, '=': '512' }])
  assert.deepEqual(find('container_spec_cpu_period'), [{ ...own, ...gauge, '=': '100000' }])
})

test('metrics are of ready pods only', async t => {
  const { client, podId } = await openShop(t)
  await client.call(rpc.StopPodSandbox, { podSandboxId: podId })
  assert.deepEqual((await client.call(rpc.ListPodSandboxMetrics, {})).podMetrics, [])
})
