import type { Container } from '#engine/model/container'
import type { ContainerMetrics, DeviceStats, HugepageStats } from '#engine/model/stats'
import { counter, gauge, type MetricFamily, toSeconds } from './metric-family.ts'

export interface ContainerSubject {
  readonly container: Container
  readonly metrics: ContainerMetrics
}

type Family = MetricFamily<ContainerSubject>

/** What is only known of a container. */
export const containerFamilies: readonly Family[] = [
  ...cpuFamilies(),
  ...memoryFamilies(),
  ...fileSystemFamilies(),
  ...deviceFamilies(),
  ...hugepageFamilies(),
  ...processFamilies(),
  ...specFamilies(),
]

function cpuFamilies(): readonly Family[] {
  return [
    counter(
      'container_cpu_user_seconds_total',
      'Cumulative user cpu time consumed in seconds.',
      ({ metrics }) => toSeconds(metrics.detail.cpu.userNs),
    ),
    counter(
      'container_cpu_system_seconds_total',
      'Cumulative system cpu time consumed in seconds.',
      ({ metrics }) => toSeconds(metrics.detail.cpu.systemNs),
    ),
    withQuota(
      counter(
        'container_cpu_cfs_periods_total',
        'Number of elapsed enforcement period intervals.',
        ({ metrics }) => metrics.detail.cpu.periods,
      ),
    ),
    withQuota(
      counter(
        'container_cpu_cfs_throttled_periods_total',
        'Number of throttled period intervals.',
        ({ metrics }) => metrics.detail.cpu.throttledPeriods,
      ),
    ),
    withQuota(
      counter(
        'container_cpu_cfs_throttled_seconds_total',
        'Total time duration the container has been throttled.',
        ({ metrics }) => toSeconds(metrics.detail.cpu.throttledNs),
      ),
    ),
  ]
}

/** Without a quota there is nothing to enforce, and nothing to tell. */
function withQuota(family: Family): Family {
  return {
    ...family,
    samples: subject => ((subject.container.resources?.cpuQuotaUs ?? 0) > 0 ? family.samples(subject) : []),
  }
}

function memoryFamilies(): readonly Family[] {
  const memory = (metrics: ContainerMetrics) => metrics.detail.memory
  return [
    gauge(
      'container_memory_cache',
      'Number of bytes of page cache memory.',
      ({ metrics }) => memory(metrics).cache,
    ),
    gauge(
      'container_memory_kernel_usage',
      'Size of kernel memory allocated in bytes.',
      ({ metrics }) => memory(metrics).kernel,
    ),
    gauge(
      'container_memory_mapped_file',
      'Size of memory mapped files in bytes.',
      ({ metrics }) => memory(metrics).mappedFiles,
    ),
    gauge(
      'container_memory_max_usage_bytes',
      'Maximum memory usage recorded in bytes',
      ({ metrics }) => memory(metrics).maxUsage,
    ),
    counter(
      'container_memory_failcnt',
      'Number of memory usage hits limits',
      ({ metrics }) => memory(metrics).limitHits,
    ),
    counter(
      'container_oom_events_total',
      'Count of out of memory events observed for the container',
      ({ metrics }) => metrics.detail.oomKills,
    ),
  ]
}

function fileSystemFamilies(): readonly Family[] {
  const family = (name: string, help: string, value: (metrics: ContainerMetrics) => number): Family => ({
    name: `container_fs_${name}`,
    help,
    type: 'gauge',
    labels: ['device'],
    samples: ({ metrics }) => [{ labels: [metrics.fileSystem.device], value: value(metrics) }],
  })
  return [
    family('inodes_free', 'Number of available Inodes', ({ fileSystem }) => fileSystem.inodesFree),
    family('inodes_total', 'Number of Inodes', ({ fileSystem }) => fileSystem.inodes),
    family(
      'limit_bytes',
      'Number of bytes that can be consumed by the container on this filesystem.',
      ({ fileSystem }) => fileSystem.bytes,
    ),
    family(
      'usage_bytes',
      'Number of bytes that are consumed by the container on this filesystem.',
      ({ stats }) => stats.writableLayer?.bytes ?? 0,
    ),
  ]
}

function deviceFamilies(): readonly Family[] {
  const family = (
    name: string,
    help: string,
    value: (device: DeviceStats) => number | undefined,
  ): Family => ({
    name: `container_fs_${name}_total`,
    help: `Cumulative count of ${help}`,
    type: 'counter',
    labels: ['device'],
    samples: ({ metrics }) =>
      metrics.detail.devices.map(device => ({ labels: [device.name], value: value(device) ?? 0 })),
  })
  return [
    family('reads_bytes', 'bytes read', ({ bytes }) => bytes.Read),
    family('reads', 'reads completed', ({ operations }) => operations.Read),
    family('writes_bytes', 'bytes written', ({ bytes }) => bytes.Write),
    family('writes', 'writes completed', ({ operations }) => operations.Write),
    {
      name: 'container_blkio_device_usage_total',
      help: 'Blkio Device bytes usage',
      type: 'counter',
      labels: ['device', 'major', 'minor', 'operation'],
      samples: ({ metrics }) =>
        metrics.detail.devices.flatMap(({ name, major, minor, bytes }) =>
          Object.entries(bytes).map(([operation, value]) => ({
            labels: [name, String(major), String(minor), operation],
            value,
          })),
        ),
    },
  ]
}

function hugepageFamilies(): readonly Family[] {
  const family = (
    name: string,
    help: string,
    value: (pages: HugepageStats) => number | undefined,
  ): Family => ({
    name: `container_hugetlb_${name}_bytes`,
    help,
    type: 'gauge',
    labels: ['pagesize'],
    samples: ({ metrics }) =>
      metrics.detail.hugepages.flatMap(pages => {
        const found = value(pages)
        return found === undefined ? [] : [{ labels: [pages.pageSize], value: found }]
      }),
  })
  return [
    family('usage', 'Current hugepage usage in bytes', ({ usage }) => usage),
    family('max_usage', 'Maximum hugepage usage recorded in bytes', ({ maxUsage }) => maxUsage),
  ]
}

function processFamilies(): readonly Family[] {
  return [
    gauge(
      'container_processes',
      'Number of processes running inside the container.',
      ({ metrics }) => metrics.files.processes,
    ),
    gauge(
      'container_file_descriptors',
      'Number of open file descriptors for the container.',
      ({ metrics }) => metrics.files.files,
    ),
    gauge(
      'container_sockets',
      'Number of open sockets for the container.',
      ({ metrics }) => metrics.files.sockets,
    ),
    gauge(
      'container_threads',
      'Number of threads running inside the container',
      ({ metrics }) => metrics.detail.tasks,
    ),
    gauge(
      'container_threads_max',
      'Maximum number of threads allowed inside the container, infinity if value is zero',
      ({ metrics }) => metrics.detail.tasksLimit,
    ),
    {
      name: 'container_ulimits_soft',
      help: 'Soft ulimit values for the container root process. Left out if unlimited',
      type: 'gauge',
      labels: ['ulimit'],
      samples: ({ metrics: { openFilesLimit } }) =>
        openFilesLimit === undefined ? [] : [{ labels: ['max_open_files'], value: openFilesLimit }],
    },
  ]
}

/** What the kernel does when it is not told otherwise. */
const kernelDefaults = { cpuPeriodUs: 100_000, cpuShares: 1024 } as const

function specFamilies(): readonly Family[] {
  const quota = gauge<ContainerSubject>(
    'container_spec_cpu_quota',
    'CPU quota of the container.',
    ({ container }) => container.resources?.cpuQuotaUs ?? 0,
  )
  return [
    gauge(
      'container_start_time_seconds',
      'Start time of the container since unix epoch in seconds.',
      ({ container }) => toSeconds(container.startedAtNs || container.createdAtNs),
    ),
    gauge(
      'container_spec_cpu_period',
      'CPU period of the container.',
      ({ container }) => container.resources?.cpuPeriodUs || kernelDefaults.cpuPeriodUs,
    ),
    withQuota(quota),
    gauge(
      'container_spec_cpu_shares',
      'CPU share of the container.',
      ({ container }) => container.resources?.cpuShares || kernelDefaults.cpuShares,
    ),
    gauge(
      'container_spec_memory_limit_bytes',
      'Memory limit for the container.',
      ({ metrics }) => metrics.detail.memory.limit,
    ),
    gauge(
      'container_spec_memory_swap_limit_bytes',
      'Memory swap limit for the container.',
      ({ metrics }) => metrics.detail.memory.swapLimit,
    ),
    gauge(
      'container_spec_memory_reservation_limit_bytes',
      'Memory reservation limit for the container.',
      ({ metrics }) => metrics.detail.memory.reservation,
    ),
  ]
}
