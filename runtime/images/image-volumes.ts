import type { Ctx } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import type { ChainId } from '#base/ids'
import type { Host } from '#shim/host'
import type { ImageId } from '../model/image.ts'
import type { ImageVolume } from './image-store.ts'
import { emptySnapshotName, type Snapshots } from './snapshots/snapshots.ts'

/** An image volume whose layers are known. */
export interface LayeredVolume {
  readonly volume: ImageVolume
  /** Names of snapshots, topmost first. */
  readonly layers: readonly string[]
}

/** Mounts what the image, or a part of it, holds. It can be written by nobody. Errors: `not-found` for the part. */
export async function mountImageVolume(
  ctx: Ctx,
  deps: { readonly host: Pick<Host, 'mountOverlay'>; readonly snapshots: Pick<Snapshots, 'directory'> },
  { volume, layers }: LayeredVolume,
): Promise<void> {
  const { target, subPath, options, idMappings } = volume
  // A single layer would be mounted as it is, with the whiteouts at its top.
  const stack =
    layers.length === 1 && layers[0] !== emptySnapshotName ? [...layers, emptySnapshotName] : layers
  try {
    await deps.host.mountOverlay(ctx, {
      directory: deps.snapshots.directory,
      layers: stack,
      target,
      attributes: ['ro', ...options],
      ...(subPath === '' ? {} : { subPath }),
      ...(idMappings ? { idMappings } : {}),
    })
  } catch (err) {
    throw withContext(`cannot mount image ${volume.imageId}`, err)
  }
}

/** Names of an image's layers, topmost first. Errors: `failed-precondition` if one is missing. */
export function layerNames(
  snapshots: Pick<Snapshots, 'find'>,
  chainIds: readonly ChainId[],
  imageId: ImageId,
): readonly string[] {
  if (chainIds.length === 0) return [emptySnapshotName]
  return chainIds.toReversed().map(chainId => {
    const snapshot = snapshots.find(chainId)
    if (snapshot) return snapshot.name
    throw new RuntimeError(
      'failed-precondition',
      `layer ${chainId} of image ${imageId} is missing: remove the image and pull it again`,
    )
  })
}
