import type { ContainerFilter, PodFilter, StatsOperations } from '#engine/engine'
import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'
import type { CgroupStats, ContainerMetrics, ContainerStats, PodMetrics, PodStats } from '#engine/model/stats'

/** What the fake looks at; both throw what the real engine would. */
export interface FakeStatsSource {
  container(id: string): Container
  containers(filter: ContainerFilter): readonly Container[]
  pod(id: string): Pod
  pods(filter: PodFilter): readonly Pod[]
}

const now = 1_700_000_100_000_000_000n

/** The same figures for everything, large ones among them. */
export function fakeStats(source: FakeStatsSource): StatsOperations {
  const podStats = (pod: Pod): PodStats => ({
    ...cgroupStats,
    id: pod.id,
    processes: 2,
    network: {
      timestampNs: now,
      interfaces: [
        { name: 'net1', rx: traffic(100), tx: traffic(200) },
        { name: 'eth0', rx: traffic(300), tx: traffic(400) },
      ],
    },
    containers: source.containers({ podId: pod.id }).map(containerStats),
  })
  const podMetrics = (pod: Pod): PodMetrics => {
    const stats = podStats(pod)
    return { stats, cgroup: `/kubepods/${pod.id}`, containers: stats.containers.map(containerMetrics) }
  }
  return {
    container: async (_ctx, id) => {
      await Promise.resolve()
      return containerStats(source.container(id))
    },
    containers: async (_ctx, filter) => {
      await Promise.resolve()
      return source.containers(filter).map(containerStats)
    },
    pod: async (_ctx, id) => {
      await Promise.resolve()
      return podStats(source.pod(id))
    },
    pods: async (_ctx, filter) => {
      await Promise.resolve()
      return source.pods(filter).map(podStats)
    },
    metrics: async () => {
      await Promise.resolve()
      return source.pods({ isReady: true }).map(podMetrics)
    },
  }
}

const pressure = {
  some: { avg10: 1.5, avg60: 0.25, avg300: 0, totalUs: 7_654_321 },
  full: { avg10: 0.5, avg60: 0, avg300: 0, totalUs: 1_234_567 },
} as const

const cgroupStats: CgroupStats = {
  timestampNs: now,
  cpu: { usageNs: 9_007_199_254_740_993n, usageNanoCores: 250_000_000, pressure },
  memory: {
    usage: 20,
    workingSet: 10,
    rss: 5,
    available: 90,
    pageFaults: 3,
    majorPageFaults: 1,
    pressure,
  },
  swap: { usage: 4096, available: undefined },
  ioPressure: pressure,
}

function containerStats({ id }: Container): ContainerStats {
  return {
    ...cgroupStats,
    id,
    writableLayer: { mountpoint: '/var/lib/lighter/snapshots/1', bytes: 4096, inodes: 2 },
  }
}

function traffic(base: number) {
  return { bytes: base, packets: base + 1, errors: base + 2, dropped: base + 3 }
}

function containerMetrics(stats: ContainerStats): ContainerMetrics {
  return {
    stats,
    cgroup: `/kubepods/pod/${stats.id}`,
    detail: {
      cpu: {
        userNs: 6_500_000_000n,
        systemNs: 2_499_999_999n,
        periods: 10,
        throttledPeriods: 4,
        throttledNs: 3_000_000_000n,
      },
      memory: {
        limit: 100,
        swapLimit: 200,
        reservation: 0,
        cache: 7,
        kernel: 8,
        mappedFiles: 9,
        maxUsage: 30,
        limitHits: 2,
      },
      devices: [
        {
          name: '/dev/vda',
          major: 254,
          minor: 0,
          bytes: { Read: 4096, Write: 8192 },
          operations: { Read: 1, Write: 2 },
        },
      ],
      hugepages: [{ pageSize: '2MB', usage: 2_097_152, maxUsage: undefined }],
      tasks: 3,
      tasksLimit: 0,
      oomKills: 1,
    },
    files: { processes: 1, files: 5, sockets: 2 },
    openFilesLimit: 1024,
    fileSystem: { device: '/dev/vda1', bytes: 1e12, inodes: 1000, inodesFree: 900 },
  }
}
