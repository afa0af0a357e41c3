import type { CgroupStats, Pressure, PressureLine } from '#engine/model/stats'
import { gauge, type MetricFamily, toSeconds } from './metric-family.ts'

/** What is known of every cgroup, a container's or a pod's. */
export const cgroupFamilies: readonly MetricFamily<CgroupStats>[] = [
  gauge('container_last_seen', 'Last time a container was seen by the exporter', ({ timestampNs }) =>
    toSeconds(timestampNs),
  ),
  {
    name: 'container_cpu_usage_seconds_total',
    help: 'Cumulative cpu time consumed in seconds.',
    type: 'counter',
    labels: ['cpu'],
    samples: ({ cpu }) => [{ labels: ['total'], value: toSeconds(cpu.usageNs) }],
  },
  gauge('container_memory_rss', 'Size of RSS in bytes.', ({ memory }) => memory.rss),
  gauge('container_memory_swap', 'Container swap usage in bytes.', ({ swap }) => swap?.usage ?? 0),
  gauge(
    'container_memory_usage_bytes',
    'Current memory usage in bytes, including all memory regardless of when it was accessed',
    ({ memory }) => memory.usage,
  ),
  gauge(
    'container_memory_working_set_bytes',
    'Current working set in bytes.',
    ({ memory }) => memory.workingSet,
  ),
  {
    name: 'container_memory_failures_total',
    help: 'Cumulative count of memory allocation failures.',
    type: 'counter',
    labels: ['failure_type', 'scope'],
    samples: ({ memory }) =>
      ['container', 'hierarchy'].flatMap(scope => [
        { labels: ['pgfault', scope], value: memory.pageFaults },
        { labels: ['pgmajfault', scope], value: memory.majorPageFaults },
      ]),
  },
  ...pressureFamilies('cpu', 'CPU', ({ cpu }) => cpu.pressure),
  ...pressureFamilies('memory', 'memory', ({ memory }) => memory.pressure),
  ...pressureFamilies('io', 'IO', ({ ioPressure }) => ioPressure),
]

function pressureFamilies(
  name: string,
  title: string,
  pressure: (stats: CgroupStats) => Pressure | undefined,
): readonly MetricFamily<CgroupStats>[] {
  const family = (
    kind: string,
    help: string,
    line: (pressure: Pressure) => PressureLine,
  ): MetricFamily<CgroupStats> => ({
    name: `container_pressure_${name}_${kind}_seconds_total`,
    help: `${help} due to ${title} congestion.`,
    type: 'counter',
    labels: [],
    samples: stats => {
      const found = pressure(stats)
      return found ? [{ value: Math.floor(line(found).totalUs / 1_000_000) }] : []
    },
  })
  return [
    family(
      'stalled',
      'Total time duration no tasks in the container could make progress',
      found => found.full,
    ),
    family('waiting', 'Total time duration tasks in the container have waited', found => found.some),
  ]
}
