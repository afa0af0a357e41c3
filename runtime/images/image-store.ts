import type { Ctx } from '#base/context'
import type { ContainerId } from '#base/ids'
import type { ImageOperations } from '../engine.ts'
import type { ImageId } from '../model/image.ts'

/** Images, their unpacked layers, and the root file systems made from them. */
export interface ImageStore extends ImageOperations {
  /** Reads the records, removes what an interrupted pull left. */
  start(ctx: Ctx): Promise<void>
  /** Cancels running pulls and waits for them. */
  stop(): Promise<void>
  readonly rootfs: RootFilesystems
}

/** One writable overlay per container; holds its image's layers while it exists. */
export interface RootFilesystems {
  /** Makes the writable layer of `key` and mounts the overlay on `target`. All or nothing. */
  prepare(ctx: Ctx, input: RootfsInput): Promise<void>
  /** Unmounts and deletes; absent is fine. Layers that nobody needs any more go with it. */
  remove(ctx: Ctx, input: { readonly key: ContainerId; readonly target: string }): Promise<void>
  /** Bytes and inodes of the writable layer. */
  usage(ctx: Ctx, key: ContainerId): Promise<{ readonly bytes: number; readonly inodes: number }>
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
}
