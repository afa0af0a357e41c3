import { RuntimeError } from '#base/errors'
import { type Digest, isDigest } from '#base/ids'
import { createJsonReader, type JsonObject, type JsonReader, parseJsonObject } from './json.ts'
import { imageLimits } from './limits.ts'
import { formatPlatform, type Platform, platformScore } from './platform.ts'

/** OCI content descriptor: bytes by type, digest and exact size. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

export interface Manifest {
  readonly type: 'manifest'
  readonly config: Descriptor
  /** Bottom layer first. */
  readonly layers: readonly Descriptor[]
}

export interface Index {
  readonly type: 'index'
  readonly manifests: readonly (Descriptor & { readonly platform: Platform | undefined })[]
}

const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]
const configTypes = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]
const layerType =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/

/** What is asked of a registry, best first. */
export const acceptedTypes = [...indexTypes, ...manifestTypes].join(', ')

/**
 * Reads a manifest or an index that is known to be the bytes of its digest. `mediaType` is what the server or the
 * parent descriptor says; the document's own word comes first. Errors: `failed-precondition`.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string, what: string): Manifest | Index {
  const document = parseJsonObject(bytes, what)
  const reader = createJsonReader(what, imageLimits.indexEntries)
  const ownType = reader.text(document, 'mediaType')
  const type = ownType === '' ? (mediaType.split(';')[0] ?? '').trim() : ownType
  if (reader.integer(document, 'schemaVersion') !== 2) {
    throw reader.fail('schemaVersion is not 2: only OCI manifests and Docker schema 2 are supported')
  }
  // One document that is both would be two images under one digest.
  if ('manifests' in document && ('layers' in document || 'config' in document)) {
    throw reader.fail('is both an index and a manifest')
  }
  if (indexTypes.includes(type)) return parseIndex(document, reader)
  if (manifestTypes.includes(type)) return parseImageManifest(document, reader)
  throw reader.fail(`media type "${type.slice(0, 100)}" is not an image`)
}

/** The entry of the index that suits the machine best. Errors: `not-found` naming what there is. */
export function selectPlatform(index: Index, machine: Platform, what: string): Descriptor {
  let best: Descriptor | undefined
  let bestScore = 0
  for (const entry of index.manifests) {
    const isOnly = index.manifests.length === 1
    const score = entry.platform ? platformScore(machine, entry.platform) : Number(isOnly)
    if (score > bestScore) {
      best = entry
      bestScore = score
    }
  }
  if (best) return best
  const names = index.manifests.map(entry => (entry.platform ? formatPlatform(entry.platform) : 'unknown'))
  throw new RuntimeError(
    'not-found',
    `${what} has no image for ${formatPlatform(machine)}, only for: ${[...new Set(names)].slice(0, 20).join(', ')}`,
  )
}

function parseIndex(document: JsonObject, reader: JsonReader): Index {
  const manifests = reader.objects(document, 'manifests').map(entry => {
    const platform = reader.object(entry, 'platform')
    return { ...parseDescriptor(entry, reader), platform: platform && parsePlatform(platform, reader) }
  })
  return { type: 'index', manifests: manifests.filter(({ mediaType }) => isKnownManifest(mediaType)) }
}

function parseImageManifest(document: JsonObject, reader: JsonReader): Manifest {
  const config = reader.object(document, 'config')
  if (!config) throw reader.fail('has no config')
  const layers = reader.objects(document, 'layers')
  if (layers.length > imageLimits.layers) {
    throw reader.fail(`has ${String(layers.length)} layers, more than ${String(imageLimits.layers)}`)
  }
  const manifest: Manifest = {
    type: 'manifest',
    config: parseDescriptor(config, reader),
    layers: layers.map(layer => parseDescriptor(layer, reader)),
  }
  if (!configTypes.includes(manifest.config.mediaType)) {
    throw reader.fail(`is no container image: its config is a "${manifest.config.mediaType.slice(0, 100)}"`)
  }
  const odd = manifest.layers.find(layer => !layerType.test(layer.mediaType))
  if (odd) throw reader.fail(`layer media type "${odd.mediaType.slice(0, 100)}" is not supported`)
  return manifest
}

function parseDescriptor(entry: JsonObject, reader: JsonReader): Descriptor {
  const digest = reader.text(entry, 'digest')
  const size = reader.integer(entry, 'size')
  if (!isDigest(digest)) throw reader.fail(`"${digest.slice(0, 100)}" is not a sha256 digest`)
  if (size === undefined) throw reader.fail(`descriptor of ${digest} has no size`)
  return { mediaType: reader.text(entry, 'mediaType'), digest, size }
}

function parsePlatform(platform: JsonObject, reader: JsonReader): Platform {
  return {
    os: reader.text(platform, 'os'),
    architecture: reader.text(platform, 'architecture'),
    variant: reader.text(platform, 'variant'),
  }
}

function isKnownManifest(mediaType: string): boolean {
  return indexTypes.includes(mediaType) || manifestTypes.includes(mediaType)
}
