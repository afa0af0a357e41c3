import type { Ctx } from '#base/context'
import type { ContainerId } from '#base/ids'
import type { IdMappings } from '#shim/host'
import type { ImageOperations } from '../engine.ts'
import type { ImageId } from '../model/image.ts'

/** Images, their unpacked layers, and the root file systems made from them. */
export interface ImageStore extends ImageOperations {
  /** Reads the records, removes what an interrupted pull left. */
  start(ctx: Ctx): Promise<void>
  /** Cancels running pulls and waits for them. */
  stop(): Promise<void>
  readonly rootfs: RootFilesystems
  /** The unpacked layer of an image that says that it is a checkpoint; undefined: it is an image like others. */
  checkpointLayer(id: ImageId): Promise<string | undefined>
}

/** One writable overlay per container, and its image volumes; holds the layers of all of them while it exists. */
export interface RootFilesystems {
  /** Makes the writable layer of `key`, mounts the overlay on `target`, and the volumes on theirs. All or nothing. */
  prepare(ctx: Ctx, input: RootfsInput): Promise<void>
  /**
   * Unmounts and deletes; absent is fine. Layers that nobody needs any more go with it: volumes are to be unmounted
   * before.
   */
  remove(ctx: Ctx, input: { readonly key: ContainerId; readonly target: string }): Promise<void>
  /** Bytes and inodes of the writable layer. */
  usage(ctx: Ctx, key: ContainerId): Promise<{ readonly bytes: number; readonly inodes: number }>
  /** Directories of a root file system: its writable layer, and the layers below it with those of its volumes. */
  layersOf(key: ContainerId): { readonly upper: string; readonly layers: readonly string[] }
  /** Directory that the writable layers live on (CRI FilesystemIdentifier.mountpoint). */
  readonly mountpoint: string
  /** Keys for which something exists on disk. */
  keys(): Promise<readonly string[]>
}

export interface RootfsInput {
  readonly key: ContainerId
  readonly imageId: ImageId
  /** Existing directory. */
  readonly target: string
  /** Of the user namespace that it is used in; undefined: none. */
  readonly idMappings: IdMappings | undefined
  readonly volumes: readonly ImageVolume[]
  /** SELinux label of everything in it; undefined: none. */
  readonly label?: string | undefined
  /** Puts something into the writable layer before it is mounted. */
  readonly fill?: ((ctx: Ctx, upper: string) => Promise<void>) | undefined
}

/** A read-only view of an image, or of a part of it (CRI Mount.image). */
export interface ImageVolume {
  readonly imageId: ImageId
  /** Made if absent; its directory exists. */
  readonly target: string
  /** As seen from the root of the image; "" for all of it. */
  readonly subPath: string
  readonly options: readonly MountOption[]
  readonly idMappings: IdMappings | undefined
}

/** CRI Mount.mount_options. */
export type MountOption = 'noexec' | 'nodev' | 'nosuid'
