import type { ChainId, Digest } from '#base/ids'

/** Digest of an image's config blob; the one identity that every CRI answer uses. */
export type ImageId = Digest

/** The part of an OCI image config that running a container needs (image spec, config.md). */
export interface ImageConfig {
  readonly user: string
  readonly env: readonly string[]
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly workingDir: string
  readonly stopSignal: string
  readonly volumes: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly os: string
  readonly architecture: string
  /** RFC 3339; "" if absent. */
  readonly created: string
}

/** One image on this node. */
export interface Image {
  readonly id: ImageId
  /** `docker.io/library/busybox:1.36`, full form; sorted. */
  readonly repoTags: readonly string[]
  /** `docker.io/library/busybox@sha256:…`; sorted. */
  readonly repoDigests: readonly string[]
  readonly manifestDigest: Digest
  /** Bytes on disk: unpacked layers, manifest and config. */
  readonly sizeBytes: number
  /** Chain ids from the bottom layer to the top; the last one names the root file system. */
  readonly chainIds: readonly ChainId[]
  readonly config: ImageConfig
  readonly isPinned: boolean
  readonly pulledAtNs: bigint
}

/** CRI AuthConfig; "" for what was not given. */
export interface RegistryAuth {
  readonly username: string
  readonly password: string
  /** base64 of `user:password`. */
  readonly auth: string
  readonly serverAddress: string
  readonly identityToken: string
  readonly registryToken: string
}

export interface StoreUsage {
  readonly mountpoint: string
  readonly usedBytes: number
  readonly inodesUsed: number
  readonly timestampNs: bigint
}
