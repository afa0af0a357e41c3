import type { ContainerId, PodId } from '#base/ids'

/** What the kernel counted for one container at one moment. Without processes everything is 0. */
export interface ContainerStats extends CgroupStats {
  readonly id: ContainerId
  readonly writableLayer:
    | { readonly mountpoint: string; readonly bytes: number; readonly inodes: number }
    | undefined
}

/** A pod: its containers and, if it has a cgroup of its own, what else runs or is cached in that. */
export interface PodStats extends CgroupStats {
  readonly id: PodId
  readonly processes: number
  /** undefined with the host's network, and when the pod is not ready. */
  readonly network: NetworkStats | undefined
  /** Those that are created or running. */
  readonly containers: readonly ContainerStats[]
}

export interface CgroupStats {
  readonly timestampNs: bigint
  readonly cpu: CpuStats
  readonly memory: MemoryStats
  /** undefined where the kernel does not account for swap. */
  readonly swap: SwapStats | undefined
  readonly ioPressure: Pressure | undefined
}

export interface CpuStats {
  readonly usageNs: bigint
  /** Billionths of a CPU used between the last two looks; undefined before there were two. */
  readonly usageNanoCores: number | undefined
  readonly pressure: Pressure | undefined
}

/** Bytes, unless the name says otherwise. */
export interface MemoryStats {
  readonly usage: number
  /** usage without the inactive part of the page cache, at least 0. */
  readonly workingSet: number
  readonly rss: number
  /** Limit minus working set; undefined without a limit. */
  readonly available: number | undefined
  readonly pageFaults: number
  readonly majorPageFaults: number
  readonly pressure: Pressure | undefined
}

/** Bytes. */
export interface SwapStats {
  readonly usage: number
  /** undefined without a limit. */
  readonly available: number | undefined
}

/** Pressure stall information (kernel: accounting/psi.rst); undefined wherever the kernel has none. */
export interface Pressure {
  readonly some: PressureLine
  readonly full: PressureLine
}

export interface PressureLine {
  /** Percent of the time, on average over so many seconds. */
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  readonly totalUs: number
}

export interface NetworkStats {
  readonly timestampNs: bigint
  /** All but the loopback device, in the kernel's order. */
  readonly interfaces: readonly InterfaceStats[]
}

export interface InterfaceStats {
  readonly name: string
  readonly rx: TrafficStats
  readonly tx: TrafficStats
}

export interface TrafficStats {
  readonly bytes: number
  readonly packets: number
  readonly errors: number
  readonly dropped: number
}

/** One pod as a monitoring system sees it (CRI PodSandboxMetrics). */
export interface PodMetrics {
  readonly stats: PodStats
  /** Path of the pod's own cgroup; "" if it has none. */
  readonly cgroup: string
  /** One for each of stats.containers, in that order. */
  readonly containers: readonly ContainerMetrics[]
}

export interface ContainerMetrics {
  readonly stats: ContainerStats
  /** Path as in /proc/PID/cgroup. */
  readonly cgroup: string
  readonly detail: CgroupDetail
  readonly files: { readonly processes: number; readonly files: number; readonly sockets: number }
  /** Soft limit of open files of the first process; undefined if unlimited or not running. */
  readonly openFilesLimit: number | undefined
  /** File system of the writable layer. */
  readonly fileSystem: FileSystemStats
}

export interface FileSystemStats {
  readonly device: string
  readonly bytes: number
  readonly inodes: number
  readonly inodesFree: number
}

/** What only metrics show of a cgroup. undefined and empty: the kernel does not have it. */
export interface CgroupDetail {
  readonly cpu: CpuDetail
  readonly memory: MemoryDetail
  readonly devices: readonly DeviceStats[]
  readonly hugepages: readonly HugepageStats[]
  /** Processes and threads. */
  readonly tasks: number
  /** 0: no limit. */
  readonly tasksLimit: number
  readonly oomKills: number
}

export interface CpuDetail {
  readonly userNs: bigint
  readonly systemNs: bigint
  /** Of the CPU quota. */
  readonly periods: number
  readonly throttledPeriods: number
  readonly throttledNs: bigint
}

/** Bytes; limits are 0 without one. */
export interface MemoryDetail {
  readonly limit: number
  readonly swapLimit: number
  readonly reservation: number
  readonly cache: number
  readonly kernel: number
  readonly mappedFiles: number
  readonly maxUsage: number
  /** How often the limit was hit. */
  readonly limitHits: number
}

/** One block device; counts by operation (Read, Write, Discard and what else the kernel names). */
export interface DeviceStats {
  readonly name: string
  readonly major: number
  readonly minor: number
  readonly bytes: Readonly<Record<string, number>>
  readonly operations: Readonly<Record<string, number>>
}

export interface HugepageStats {
  /** As in the names of the kernel's files: 2MB, 1GB. */
  readonly pageSize: string
  readonly usage: number
  readonly maxUsage: number | undefined
}
