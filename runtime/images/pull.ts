import type { Clock } from '#base/clock'
import { type Ctx, throwIfAborted } from '#base/context'
import { messageOf, RuntimeError, withContext } from '#base/errors'
import { type Digest } from '#base/ids'
import type { Image, ImageId } from '../model/image.ts'
import { type ParsedConfig, parseImageConfig } from './image-config.ts'
import type { ImageNames, ImageTable } from './image-table.ts'
import { imageLimits } from './limits.ts'
import { type Descriptor, type Manifest, parseManifest, selectPlatform } from './manifest.ts'
import type { Platform } from './platform.ts'
import { type PlannedLayer, type PullLayersDeps, pullLayers } from './pull-layers.ts'
import { maxConfigBytes } from './records.ts'
import { formatReference, repositoryOf } from './reference.ts'
import {
  type FetchedManifest,
  openSession,
  type RegistrySession,
  type SessionDeps,
  type SessionInput,
} from './registry/session.ts'
import { chainIdsOf } from './unpack/chain-ids.ts'

export interface PullDeps extends PullLayersDeps, SessionDeps {
  readonly images: ImageTable
  readonly platform: Platform
  readonly clock: Clock
}

/**
 * Brings one image from its registry: resolve, choose the manifest for this machine, config and layers, record.
 * The registry is asked even for an image that is here, because only it knows what a tag means now and whether these
 * credentials may have it. The caller collects what is left over after a failure.
 */
export async function pullImage(ctx: Ctx, deps: PullDeps, input: SessionInput): Promise<ImageId> {
  try {
    const session = await openSession(deps, input)
    try {
      return await pullThrough(ctx, deps, { session, input })
    } finally {
      session.close()
    }
  } catch (err) {
    throw withContext(`cannot pull ${formatReference(input.reference)}`, err)
  }
}

interface OpenPull {
  readonly session: RegistrySession
  readonly input: SessionInput
}

async function pullThrough(ctx: Ctx, deps: PullDeps, { session, input }: OpenPull): Promise<ImageId> {
  const known = await addNamesToKnown(ctx, deps, { session, input })
  if (known !== undefined) return known
  const resolved = await session.resolve(ctx)
  const names = namesOf(input, resolved.digest)
  const again = await addNames(deps, resolved.digest, names)
  if (again !== undefined) return again
  return await pullResolved(ctx, deps, { session, resolved, names, what: formatReference(input.reference) })
}

/** A name that is here already costs one HEAD: registries count and limit the GETs of manifests. */
async function addNamesToKnown(
  ctx: Ctx,
  deps: PullDeps,
  { session, input }: OpenPull,
): Promise<ImageId | undefined> {
  if (!deps.images.find(formatReference(input.reference))) return undefined
  const digest = await session.head(ctx).catch((err: unknown) => {
    throwIfAborted(ctx)
    // Whatever is wrong, the GET that follows says it better.
    deps.log.debug(
      { image: formatReference(input.reference), err: messageOf(err) },
      'HEAD of manifest failed',
    )
    return undefined
  })
  return digest === undefined ? undefined : addNames(deps, digest, namesOf(input, digest))
}

async function addNames(deps: PullDeps, digest: Digest, names: ImageNames): Promise<ImageId | undefined> {
  const record = deps.images.findByManifest(digest)
  if (!record?.image.chainIds.every(chainId => deps.snapshots.find(chainId))) return undefined
  return (await deps.images.addNames(record.image.id, names)) ? record.image.id : undefined
}

function namesOf({ reference }: SessionInput, digest: Digest): ImageNames {
  return {
    repoTag: reference.digest === undefined ? formatReference(reference) : '',
    repoDigest: `${repositoryOf(reference)}@${digest}`,
  }
}

interface ResolvedPull {
  readonly session: RegistrySession
  readonly resolved: FetchedManifest
  readonly names: ImageNames
  readonly what: string
}

async function pullResolved(ctx: Ctx, deps: PullDeps, pull: ResolvedPull): Promise<ImageId> {
  const { manifest, documents } = await fetchManifests(ctx, deps, pull)
  const configBytes = await fetchConfig(ctx, pull, manifest.config)
  const parsed = parseImageConfig(configBytes, `config of ${pull.what}`)
  const layers = planLayers(manifest, parsed, pull.what)
  const id = manifest.config.digest
  const blobs = [id, ...documents.map(document => document.digest)]
  const hold = deps.collector.hold([...blobs, ...layers.map(layer => layer.chainId)])
  try {
    await pullLayers(ctx, deps, { session: pull.session, layers })
    for (const document of documents) await deps.blobs.put(document.bytes)
    await deps.blobs.put(configBytes)
    throwIfAborted(ctx)
    const chainIds = layers.map(layer => layer.chainId)
    const layerBytes = chainIds.reduce((sum, chainId) => sum + (deps.snapshots.find(chainId)?.bytes ?? 0), 0)
    const image: Image = {
      id,
      repoTags: [],
      repoDigests: [],
      manifestDigest: documents.at(-1)?.digest ?? pull.resolved.digest,
      sizeBytes: documents.reduce(
        (sum, { bytes }) => sum + bytes.byteLength,
        configBytes.byteLength + layerBytes,
      ),
      chainIds,
      config: parsed.config,
      isPinned: false,
      pulledAtNs: deps.clock.now(),
    }
    await deps.images.put({ image, blobs }, pull.names)
    return id
  } finally {
    hold.release()
  }
}

/** From what the reference names down to the manifest for this machine; all documents on the way. */
async function fetchManifests(
  ctx: Ctx,
  deps: PullDeps,
  { session, resolved, what }: ResolvedPull,
): Promise<{ readonly manifest: Manifest; readonly documents: readonly FetchedManifest[] }> {
  const documents: FetchedManifest[] = []
  let document = resolved
  while (documents.length < imageLimits.indexDepth) {
    documents.push(document)
    const parsed = parseManifest(document.bytes, document.mediaType, `manifest ${document.digest} of ${what}`)
    if (parsed.type === 'manifest') return { manifest: parsed, documents }
    const descriptor = selectPlatform(parsed, deps.platform, what)
    if (descriptor.size > deps.limits.manifestBytes) {
      throw new RuntimeError(
        'resource-exhausted',
        `manifest ${descriptor.digest} of ${what} has ${String(descriptor.size)} bytes, more than ${String(deps.limits.manifestBytes)}`,
      )
    }
    document = await session.manifest(ctx, descriptor)
  }
  throw new RuntimeError('failed-precondition', `${what} is an index of indexes of indexes`)
}

async function fetchConfig(
  ctx: Ctx,
  { session, what }: ResolvedPull,
  descriptor: Descriptor,
): Promise<Buffer> {
  if (descriptor.size <= maxConfigBytes) return session.smallBlob(ctx, descriptor)
  throw new RuntimeError(
    'resource-exhausted',
    `config of ${what} has ${String(descriptor.size)} bytes, more than ${String(maxConfigBytes)}`,
  )
}

function planLayers(manifest: Manifest, config: ParsedConfig, what: string): readonly PlannedLayer[] {
  const chainIds = chainIdsOf(config.diffIds)
  if (manifest.layers.length !== config.diffIds.length) {
    throw new RuntimeError(
      'failed-precondition',
      `manifest of ${what} has ${String(manifest.layers.length)} layers, its config ${String(config.diffIds.length)}`,
    )
  }
  return manifest.layers.map((descriptor, index) => {
    const diffId = config.diffIds[index]
    const chainId = chainIds[index]
    if (diffId === undefined || chainId === undefined) {
      throw new RuntimeError('internal', `layer ${String(index)} of ${what} has no diff id`)
    }
    return { descriptor, diffId, chainId }
  })
}
