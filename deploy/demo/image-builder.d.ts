import { type LayerEntry } from './tar-writer.ts'
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
export declare function digestOf(bytes: Uint8Array): string
/** Platform of this machine in the words of the image spec. */
export declare function localPlatform(): Platform
/** Builds an image in memory. The same spec gives the same digests. */
export declare function buildImage(spec: ImageSpec): Promise<BuiltImage>
/** An index (docker: manifest list) of images for several platforms. */
export declare function buildIndex(images: readonly BuiltImage[], format?: 'oci' | 'docker'): BuiltImage
/** One layer: its tar, its compressed bytes and both digests. */
export declare function buildLayer(layer: LayerSpec): Promise<BuiltLayer>
