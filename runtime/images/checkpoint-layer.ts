import { join } from 'node:path'
import { RuntimeError } from '#base/errors'
import type { EngineLimits } from '../engine-config.ts'
import type { Image } from '../model/image.ts'
import type { Blobs } from './content/blobs.ts'
import { asJsonObject, parseJsonObject } from './json.ts'
import type { Snapshots } from './snapshots/snapshots.ts'

/** Annotations of a manifest that make an image a checkpoint: those of CRI-O, of Podman, and what both agreed on. */
const annotations = [
  'io.kubernetes.cri-o.annotations.checkpoint.name',
  'io.podman.annotations.checkpoint.name',
  'org.criu.checkpoint.container.name',
]

export interface CheckpointLayerDeps {
  readonly blobs: Pick<Blobs, 'read'>
  readonly snapshots: Pick<Snapshots, 'find' | 'directory'>
  readonly limits: Pick<EngineLimits, 'manifestBytes'>
}

/**
 * Directory of the one layer of an image whose manifest says that it is a checkpoint; undefined for other images. Errors:
 * `failed-precondition` if it has several.
 */
export async function checkpointLayer(
  { blobs, snapshots, limits }: CheckpointLayerDeps,
  image: Image | undefined,
): Promise<string | undefined> {
  if (!image) return undefined
  const what = `manifest of image ${image.id}`
  const manifest = parseJsonObject(await blobs.read(image.manifestDigest, limits.manifestBytes), what)
  if (manifest.annotations === undefined) return undefined
  const given = asJsonObject(manifest.annotations, `annotations of the ${what}`)
  if (!annotations.some(name => name in given)) return undefined
  const [chainId, ...others] = image.chainIds
  const snapshot = chainId && snapshots.find(chainId)
  if (snapshot && others.length === 0) return join(snapshots.directory, snapshot.name)
  throw new RuntimeError(
    'failed-precondition',
    `image ${image.id} says that it is a checkpoint, and has ${image.chainIds.length} layers instead of 1`,
  )
}
