import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type LayerEntry, writeTar } from './tar-writer.ts'
import { compressZstd } from './zstd.ts'

export interface LayerSpec {
  readonly entries: readonly LayerEntry[]
  /** Default: gzip. zstd needs the program of that name. */
  readonly compression?: 'gzip' | 'zstd' | 'none'
}

export interface ImageSpec {
  /** Bottom first. */
  readonly layers: readonly LayerSpec[]
  readonly config?: ImageConfigSpec
  /** Default: oci. `docker` is version 2, schema 2. */
  readonly format?: 'oci' | 'docker'
  /** Default: that of this machine. */
  readonly platform?: Platform
}

/** The fields of an OCI image config (config.md) that a container is made from. */
export interface ImageConfigSpec {
  readonly user?: string
  readonly env?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly cmd?: readonly string[]
  readonly workingDir?: string
  readonly stopSignal?: string
  readonly volumes?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly exposedPorts?: readonly string[]
}

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

/** A manifest or index with everything that it refers to; `put` of the registry takes it. */
export interface BuiltImage {
  readonly mediaType: string
  /** Of `manifest`: sha256:… */
  readonly digest: string
  readonly manifest: Buffer
  readonly platform: Platform | undefined
  /** Digest of the config, "" for an index: what becomes the image id. */
  readonly configDigest: string
  readonly layers: readonly BuiltLayer[]
  /** Config and layers by digest. */
  readonly blobs: ReadonlyMap<string, Buffer>
  /** Manifests of an index. */
  readonly children: readonly BuiltImage[]
}

export interface BuiltLayer {
  readonly digest: string
  readonly diffId: string
  readonly bytes: Buffer
}

const mediaTypes = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    index: 'application/vnd.oci.image.index.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
    none: 'application/vnd.oci.image.layer.v1.tar',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    zstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
    none: 'application/vnd.docker.image.rootfs.diff.tar',
  },
} as const

const created = '2023-11-14T22:13:20Z'

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Platform of this machine in the words of the image spec. */
export function localPlatform(): Platform {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' }
  return { os: 'linux', architecture: names[process.arch] ?? process.arch }
}

/** Builds an image in memory. The same spec gives the same digests. */
export async function buildImage(spec: ImageSpec): Promise<BuiltImage> {
  const types = mediaTypes[spec.format ?? 'oci']
  const platform = spec.platform ?? localPlatform()
  const layers = await Promise.all(spec.layers.map(buildLayer))
  const config = Buffer.from(JSON.stringify(imageConfig(spec.config ?? {}, { platform, layers })))
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: descriptor(types.config, config),
      layers: layers.map((layer, i) => descriptor(types[spec.layers[i]?.compression ?? 'gzip'], layer.bytes)),
    }),
  )
  const blobs = new Map(layers.map(layer => [layer.digest, layer.bytes]))
  const configDigest = digestOf(config)
  blobs.set(configDigest, config)
  const digest = digestOf(manifest)
  return { mediaType: types.manifest, digest, manifest, platform, configDigest, layers, blobs, children: [] }
}

/** An index (docker: manifest list) of images for several platforms. */
export function buildIndex(images: readonly BuiltImage[], format: 'oci' | 'docker' = 'oci'): BuiltImage {
  const mediaType = mediaTypes[format].index
  const manifests = images.map(image => ({
    ...descriptor(image.mediaType, image.manifest),
    ...(image.platform ? { platform: image.platform } : {}),
  }))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  return {
    mediaType,
    digest: digestOf(manifest),
    manifest,
    platform: undefined,
    configDigest: '',
    layers: [],
    blobs: new Map(),
    children: images,
  }
}

/** One layer: its tar, its compressed bytes and both digests. */
export async function buildLayer(layer: LayerSpec): Promise<BuiltLayer> {
  const tar = writeTar(layer.entries)
  const bytes = await compress(tar, layer.compression ?? 'gzip')
  return { digest: digestOf(bytes), diffId: digestOf(tar), bytes }
}

async function compress(tar: Buffer, compression: 'gzip' | 'zstd' | 'none'): Promise<Buffer> {
  switch (compression) {
    case 'gzip':
      return promisify(gzip)(tar)
    case 'zstd':
      return compressZstd(tar)
    case 'none':
      return tar
  }
}

function descriptor(mediaType: string, bytes: Buffer): Readonly<Record<string, unknown>> {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength }
}

function imageConfig(
  config: ImageConfigSpec,
  { platform, layers }: { readonly platform: Platform; readonly layers: readonly BuiltLayer[] },
): Readonly<Record<string, unknown>> {
  const asSet = (names: readonly string[] | undefined) =>
    names && Object.fromEntries(names.map(name => [name, {}]))
  return {
    created,
    ...platform,
    config: {
      User: config.user,
      Env: config.env,
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      WorkingDir: config.workingDir,
      StopSignal: config.stopSignal,
      Volumes: asSet(config.volumes),
      ExposedPorts: asSet(config.exposedPorts),
      Labels: config.labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
    history: layers.map(() => ({ created })),
  }
}
