import { join } from 'node:path'
import { type Ctx, throwIfAborted } from '#base/context'
import { type ChainId, type Digest } from '#base/ids'
import type { KeyedLock, Limiter } from '#base/locks'
import type { Host } from '#shim/host'
import type { EngineLimits } from '../engine-config.ts'
import type { EngineObserver } from '../model/observer.ts'
import type { Collector } from './collector.ts'
import type { Blobs } from './content/blobs.ts'
import type { Descriptor } from './manifest.ts'
import type { RegistrySession } from './registry/session.ts'
import type { PreparedSnapshot, Snapshot, Snapshots } from './snapshots/snapshots.ts'
import { completeImplicitDirectories } from './unpack/implicit-directories.ts'
import { unpackLayer } from './unpack/unpack-layer.ts'

/** One layer of an image that is being pulled. */
export interface PlannedLayer {
  readonly descriptor: Descriptor
  readonly diffId: Digest
  readonly chainId: ChainId
}

export interface PullLayersDeps {
  readonly host: Host
  readonly unpackProgram: string
  readonly limits: EngineLimits
  readonly blobs: Blobs
  readonly snapshots: Snapshots
  readonly collector: Collector
  /** One pull at a time makes the layer of a chain id, or downloads a blob. */
  readonly lock: KeyedLock
  readonly downloads: Limiter
  readonly unpacks: Limiter
  readonly observer: Pick<EngineObserver, 'layerDownloaded'>
}

/** A layer that lies unpacked in its directory, committed or about to be. */
interface ReadyLayer {
  readonly path: string
  readonly snapshot: Snapshot
  /** undefined: it was there already. */
  readonly prepared: PreparedSnapshot | undefined
  readonly implicitDirectories: readonly string[]
}

/**
 * Sees to it that every layer is a committed snapshot. Layers are downloaded and unpacked side by side, whatever
 * their order; the new ones are committed together, with one sync. On failure none of the new ones is left.
 *
 * The lock of a chain id is held until the commit. All locks of a pull are asked for at once and from the bottom
 * layer up, so pulls cannot wait for each other in a circle.
 */
export async function pullLayers(
  ctx: Ctx,
  deps: PullLayersDeps,
  input: { readonly session: RegistrySession; readonly layers: readonly PlannedLayer[] },
): Promise<void> {
  const failure = new AbortController()
  const layerCtx = { ...ctx, signal: AbortSignal.any([ctx.signal, failure.signal]) }
  const end = createGate()
  const running = new Set<Promise<ReadyLayer>>()
  const waits = input.layers.map(
    layer =>
      new Promise<ReadyLayer>((resolve, reject) => {
        const turn = async (): Promise<void> => {
          // A turn that comes after the pull has failed does nothing.
          throwIfAborted(layerCtx)
          const work = makeLayer(layerCtx, deps, { session: input.session, layer })
          running.add(work)
          resolve(await work)
          await end.opened
        }
        deps.lock.run(`layer ${layer.chainId}`, turn).catch(reject)
      }),
  )
  try {
    const layers = await Promise.all(waits)
    await commitLayers(ctx, deps, layers)
  } catch (err) {
    failure.abort(err)
    for (const outcome of await Promise.allSettled(running)) {
      if (outcome.status === 'fulfilled' && outcome.value.prepared) {
        await deps.snapshots.discard(outcome.value.prepared)
      }
    }
    throw err
  } finally {
    end.open()
  }
}

async function commitLayers(ctx: Ctx, deps: PullLayersDeps, layers: readonly ReadyLayer[]): Promise<void> {
  for (const [index, layer] of layers.entries()) {
    if (!layer.prepared) continue
    await completeImplicitDirectories({
      directory: layer.path,
      paths: layer.implicitDirectories,
      parents: layers
        .slice(0, index)
        .reverse()
        .map(parent => parent.path),
    })
  }
  await deps.snapshots.commit(
    ctx,
    layers.flatMap(({ prepared, snapshot }) => (prepared ? [{ prepared, snapshot }] : [])),
  )
}

interface LayerWork {
  readonly session: RegistrySession
  readonly layer: PlannedLayer
}

async function makeLayer(ctx: Ctx, deps: PullLayersDeps, work: LayerWork): Promise<ReadyLayer> {
  const { layer } = work
  const known = deps.snapshots.find(layer.chainId)
  if (known) {
    const path = join(deps.snapshots.directory, known.name)
    return { path, snapshot: known, prepared: undefined, implicitDirectories: [] }
  }
  const hold = deps.collector.hold([layer.descriptor.digest])
  try {
    return await deps.lock.run(`blob ${layer.descriptor.digest}`, async () => {
      throwIfAborted(ctx)
      const isCached = deps.blobs.has(layer.descriptor.digest)
      try {
        if (!isCached) await deps.downloads.run(() => download(ctx, deps, work))
        return await deps.unpacks.run(() => unpack(ctx, deps, layer))
      } finally {
        // The compressed bytes have done their service; kept, they would double what an image takes.
        if (!isCached) await deps.blobs.remove(layer.descriptor.digest)
      }
    })
  } finally {
    hold.release()
  }
}

async function download(ctx: Ctx, deps: PullLayersDeps, { session, layer }: LayerWork): Promise<void> {
  throwIfAborted(ctx)
  const ingest = await deps.blobs.ingest(layer.descriptor, false)
  try {
    await session.blob(ctx, layer.descriptor, ingest)
    deps.observer.layerDownloaded(layer.descriptor.size)
  } finally {
    await ingest.close()
  }
}

async function unpack(ctx: Ctx, deps: PullLayersDeps, layer: PlannedLayer): Promise<ReadyLayer> {
  throwIfAborted(ctx)
  const prepared = await deps.snapshots.prepare()
  try {
    const unpacked = await unpackLayer(ctx, deps, {
      blobPath: deps.blobs.path(layer.descriptor.digest),
      digest: layer.descriptor.digest,
      diffId: layer.diffId,
      directory: prepared.path,
      maxBytes: deps.limits.layerBytes,
      maxInodes: deps.limits.layerInodes,
    })
    const { bytes, inodes, implicitDirectories } = unpacked
    const { chainId, diffId } = layer
    const snapshot = { chainId, diffId, name: prepared.name, bytes, inodes }
    return { path: prepared.path, snapshot, prepared, implicitDirectories }
  } catch (err) {
    await deps.snapshots.discard(prepared)
    throw err
  }
}

function createGate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open }
}
