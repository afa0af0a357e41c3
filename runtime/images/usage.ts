import type { Clock } from '#base/clock'
import type { StoreUsage } from '../model/image.ts'
import type { Blobs } from './content/blobs.ts'
import type { Snapshots } from './snapshots/snapshots.ts'

export interface UsageDeps {
  readonly rootDir: string
  readonly blobs: Blobs
  readonly snapshots: Snapshots
  readonly clock: Clock
}

/** What images take on disk, added up from the indexes in memory; the disk is not asked. */
export function imageUsage(deps: UsageDeps): StoreUsage {
  let usedBytes = 0
  let inodesUsed = 0
  for (const size of deps.blobs.sizes().values()) {
    usedBytes += size
    inodesUsed++
  }
  for (const { bytes, inodes } of deps.snapshots.list()) {
    usedBytes += bytes
    inodesUsed += inodes
  }
  return { mountpoint: deps.rootDir, usedBytes, inodesUsed, timestampNs: deps.clock.now() }
}
