import { join } from 'node:path'
import type { Clock } from '#base/clock'
import { type Ctx, detached, orAborted } from '#base/context'
import { messageOf } from '#base/errors'
import type { Ids } from '#base/ids'
import { createKeyedLock, createLimiter } from '#base/locks'
import type { Log } from '#base/log'
import { timed } from '#base/timed'
import type { Host } from '#shim/host'
import type { EngineLimits, RegistriesConfig } from '../engine-config.ts'
import type { ImageId } from '../model/image.ts'
import type { EngineObserver } from '../model/observer.ts'
import { checkpointLayer } from './checkpoint-layer.ts'
import { createCollector } from './collector.ts'
import { createBlobs } from './content/blobs.ts'
import type { ImageStore } from './image-store.ts'
import { createImageTable, type ImageTable } from './image-table.ts'
import { imageLimits } from './limits.ts'
import { machinePlatform, type Platform } from './platform.ts'
import { type PullDeps, pullImage } from './pull.ts'
import { createImageRecords } from './records.ts'
import { formatReference } from './reference.ts'
import { createRootFilesystems, type RootFilesystemsService } from './rootfs.ts'
import { createRunningPulls, type PullInput } from './running-pulls.ts'
import { createSnapshots, type Snapshots } from './snapshots/snapshots.ts'
import { imageUsage } from './usage.ts'

export interface ImageStoreDeps {
  /** `content`, `images`, `snapshots`, `rootfs` and `quarantine` are made below it. */
  readonly rootDir: string
  readonly host: Host
  /** Path of lighter-unpack. */
  readonly unpackProgram: string
  readonly registries: RegistriesConfig
  readonly limits: EngineLimits
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly observer: Pick<EngineObserver, 'pullBegan' | 'pullEnded' | 'layerDownloaded'>
  /** What index entries are chosen for; the machine's own if absent. */
  readonly platform?: Platform
}

/**
 * What no image, no root file system and no running pull refers to is not on disk: a failed or cancelled pull leaves
 * nothing, and a retry begins anew. (Inside one pull, a download that was cut goes on where it stopped.)
 */
export function createImageStore(deps: ImageStoreDeps): ImageStore {
  const { rootDir, host, clock, log } = deps
  const blobs = createBlobs({ directory: join(rootDir, 'content'), ids: deps.ids })
  const snapshots = createSnapshots({ rootDir, host, log })
  const images = createImageTable(createImageRecords(rootDir, log))
  const collector = createCollector({ images, snapshots, blobs, log, rootfs: () => rootfs })
  const rootfs: RootFilesystemsService = createRootFilesystems({
    rootDir,
    host,
    log,
    snapshots,
    chainIdsOfImage: id => images.get(id)?.image.chainIds,
    collect: ctx => collector.collect(ctx),
  })
  const pullDeps: PullDeps = {
    ...deps,
    blobs,
    snapshots,
    images,
    collector,
    platform: deps.platform ?? machinePlatform(),
    lock: createKeyedLock(),
    downloads: createLimiter(deps.limits.layerDownloads),
    unpacks: createLimiter(imageLimits.unpacks),
  }
  const { observer } = deps
  const pulls = createRunningPulls((ctx, input) => {
    observer.pullBegan()
    return timed(
      timing => {
        observer.pullEnded(timing)
      },
      () => pullAndTidy(ctx, pullDeps, input),
    )
  })
  const stopping = new AbortController()
  let tidying = Promise.resolve()
  return {
    rootfs,
    async start(ctx) {
      await blobs.start()
      await snapshots.start()
      await images.start()
      await rootfs.start()
      await forgetIncomplete(images, snapshots, log)
      tidying = tidyInBackground({ signal: stopping.signal, log: ctx.log }, pullDeps)
    },
    async stop() {
      stopping.abort()
      await pulls.stop()
      await tidying
    },
    pull: (ctx, input) => pulls.pull(ctx, input),
    find: reference => images.find(reference)?.image,
    list(reference) {
      if (reference === undefined) return [...images.all()].map(record => record.image)
      const record = images.find(reference)
      return record ? [record.image] : []
    },
    async remove(ctx, reference) {
      const record = images.find(reference)
      if (!record) return
      await images.remove(record.image.id)
      await collector.collect(ctx)
      ctx.log.info({ imageId: record.image.id, image: reference }, 'image removed')
    },
    checkpointLayer: id => checkpointLayer(pullDeps, images.get(id)?.image),
    usage: () => imageUsage({ rootDir, blobs, snapshots, clock }),
  }
}

async function pullAndTidy(ctx: Ctx, deps: PullDeps, input: PullInput): Promise<ImageId> {
  const start = deps.clock.now()
  try {
    const id = await pullImage(ctx, deps, input)
    const ms = Number((deps.clock.now() - start) / 1_000_000n)
    ctx.log.info({ imageId: id, image: formatReference(input.reference), ms }, 'image pulled')
    return id
  } catch (err) {
    await deps.collector.collect(detached(ctx, imageLimits.cleanupTimeoutMs)).catch((cause: unknown) => {
      deps.log.error({ err: messageOf(cause) }, 'cannot tidy up after a pull, the next start does it')
    })
    throw err
  }
}

/** Goes on behind the first requests: deleting layers may take long, and nobody waits for their space. */
async function tidyInBackground(ctx: Ctx, { snapshots, collector, log }: PullDeps): Promise<void> {
  try {
    await orAborted(ctx, Promise.all([snapshots.removeLeftovers(ctx), collector.collect(ctx)]))
  } catch (err) {
    log.warn({ err: messageOf(err) }, 'what nobody needs was not removed, the next start does it')
  }
}

/** An image without all of its layers cannot be used; unlisted, it will be pulled again. */
async function forgetIncomplete(images: ImageTable, snapshots: Snapshots, log: Log): Promise<void> {
  for (const { image } of [...images.all()]) {
    const missing = image.chainIds.filter(chainId => !snapshots.find(chainId))
    if (missing.length === 0) continue
    log.error(
      { imageId: image.id, names: image.repoTags, missing },
      'layers are lost: image must be pulled again',
    )
    await images.remove(image.id)
  }
}
