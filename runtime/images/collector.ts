import type { Ctx } from '#base/context'
import { type Digest } from '#base/ids'
import type { Log } from '#base/log'
import type { Blobs } from './content/blobs.ts'
import type { ImageTable } from './image-table.ts'
import type { RootFilesystemsService } from './rootfs.ts'
import type { Snapshots } from './snapshots/snapshots.ts'

/**
 * Deletes layers and blobs that no image, no root file system and no running pull refers to. Nothing is counted up or
 * down: who refers to what is asked anew each time, so it cannot drift.
 */
export interface Collector {
  /** What a running pull relies on stays until release() is called. Takes effect at once. */
  hold(digests: Iterable<Digest>): Hold
  collect(ctx: Ctx): Promise<void>
}

export interface Hold {
  release(): void
}

export interface CollectorDeps {
  readonly images: ImageTable
  readonly rootfs: () => RootFilesystemsService
  readonly snapshots: Snapshots
  readonly blobs: Blobs
  readonly log: Log
}

export function createCollector(deps: CollectorDeps): Collector {
  const holds = new Set<ReadonlySet<Digest>>()
  const isHeld = (digest: Digest) => [...holds].some(hold => hold.has(digest))
  return {
    hold(digests) {
      const held = new Set(digests)
      holds.add(held)
      return { release: () => holds.delete(held) }
    },
    async collect(ctx) {
      const images = [...deps.images.all()]
      const neededBlobs = new Set(images.flatMap(record => record.blobs))
      const blobs = [...deps.blobs.sizes().keys()].filter(
        digest => !neededBlobs.has(digest) && !isHeld(digest),
      )
      const inUse = deps.rootfs().chainIds()
      const neededLayers = new Set([...images.flatMap(record => record.image.chainIds), ...(inUse ?? [])])
      const layers = [...deps.snapshots.list()].filter(
        ({ chainId }) => !neededLayers.has(chainId) && !isHeld(chainId),
      )
      // From the lists above to the calls below nothing waits, so nobody can begin to use what goes.
      const removals = blobs.map(digest => deps.blobs.remove(digest))
      if (!inUse) deps.log.warn({}, 'layers are kept while a root file system without a record exists')
      else if (layers.length > 0) removals.push(deps.snapshots.remove(ctx, layers))
      await Promise.all(removals)
    },
  }
}
