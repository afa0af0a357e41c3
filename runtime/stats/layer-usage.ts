import type { Clock } from '#base/clock'
import { type Ctx, detached } from '#base/context'
import { isKind, messageOf } from '#base/errors'
import type { ContainerId } from '#base/ids'
import { createLimiter } from '#base/locks'
import type { RootFilesystems } from '../images/image-store.ts'

export const layerLimits = {
  /** A figure is used for this long before the layer is walked again. */
  freshMs: 30_000,
  /** A call waits this long for a walk; then it answers with the figure before, and the walk goes on. */
  waitMs: 250,
  walkTimeoutMs: 120_000,
  walksAtOnce: 2,
} as const

interface LayerFigures {
  readonly bytes: number
  readonly inodes: number
}

/** Sizes of writable layers, which cost a walk through a tree each: kept, and never waited for long. */
export interface LayerUsage {
  /** undefined while nothing is known, or when the layer is gone. */
  of(ctx: Ctx, id: ContainerId): Promise<LayerFigures | undefined>
  /** Like of, without waiting: an old figure is answered, and a new one measured for the next call. */
  latest(ctx: Ctx, id: ContainerId): LayerFigures | undefined
  /** Forgets all other containers. */
  keepOnly(ids: ReadonlySet<string>): void
}

interface Entry {
  figures: LayerFigures | undefined
  measuredAtNs: bigint
  walk: Promise<void> | undefined
}

export function createLayerUsage(deps: {
  readonly rootfs: Pick<RootFilesystems, 'usage'>
  readonly clock: Clock
}): LayerUsage {
  const limiter = createLimiter(layerLimits.walksAtOnce)
  const entries = new Map<ContainerId, Entry>()

  /** Never rejects. */
  async function walk(ctx: Ctx, id: ContainerId, entry: Entry): Promise<void> {
    try {
      entry.figures = await limiter.run(() => deps.rootfs.usage(detached(ctx, layerLimits.walkTimeoutMs), id))
    } catch (err) {
      entry.figures = undefined
      if (!isKind(err, 'not-found')) {
        ctx.log.warn({ containerId: id, err: messageOf(err) }, 'cannot measure a writable layer')
      }
    }
    entry.measuredAtNs = deps.clock.now()
    entry.walk = undefined
  }

  /** The entry, with a walk under way if its figure is old. */
  function refreshed(ctx: Ctx, id: ContainerId): Entry {
    const entry = entries.get(id) ?? { figures: undefined, measuredAtNs: 0n, walk: undefined }
    entries.set(id, entry)
    const ageNs = deps.clock.now() - entry.measuredAtNs
    const isFresh = entry.measuredAtNs !== 0n && ageNs < BigInt(layerLimits.freshMs) * 1_000_000n
    if (!isFresh) entry.walk ??= walk(ctx, id, entry)
    return entry
  }

  return {
    latest: (ctx, id) => refreshed(ctx, id).figures,
    async of(ctx, id) {
      const entry = refreshed(ctx, id)
      if (!entry.walk) return entry.figures
      const waited = new AbortController()
      try {
        await Promise.race([entry.walk, deps.clock.sleep(layerLimits.waitMs, waited.signal)])
      } finally {
        waited.abort()
      }
      return entry.figures
    },
    keepOnly(ids) {
      for (const id of entries.keys()) if (!ids.has(id)) entries.delete(id)
    },
  }
}
