import type { ContainerId } from '#base/ids'

/** What the kernel counted for one container at one moment. */
export interface ContainerStats {
  readonly id: ContainerId
  readonly timestampNs: bigint
  readonly cpuUsageNs: bigint
  readonly memory: MemoryStats
  readonly pids: number
  readonly writableLayer:
    | { readonly mountpoint: string; readonly bytes: number; readonly inodes: number }
    | undefined
}

/** Bytes, unless the name says otherwise. */
export interface MemoryStats {
  readonly usage: number
  /** usage without the inactive part of the page cache, at least 0. */
  readonly workingSet: number
  readonly rss: number
  /** Limit minus working set; 0 without a limit. */
  readonly available: number
  readonly pageFaults: number
  readonly majorPageFaults: number
}
