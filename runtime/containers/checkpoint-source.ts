import type { Ctx } from '#base/context'
import type { ImageId } from '../model/image.ts'
import type { Spec } from '../oci/spec/types.ts'

/** Checkpoints that containers begin from (runtime/checkpoints). */
export interface CheckpointSource {
  /**
   * Reads an archive of any origin; the caller closes it. Errors: `not-found`, `invalid-argument` if it is none,
   * `failed-precondition` without a CRIU that works, `resource-exhausted`.
   */
  open(ctx: Ctx, archive: string): Promise<OpenCheckpoint>
  /**
   * The checkpoint that an image is, as open() answers it; undefined: it is an image like others, or checkpoints are not
   * taken from images on this node.
   */
  openImage(ctx: Ctx, id: ImageId): Promise<OpenCheckpoint | undefined>
  /** Directory of `criu`. Errors: `failed-precondition` with what is missing. */
  criuDirectory(ctx: Ctx): Promise<string>
  /** What CRIU wrote down about a restore that failed, in the container's bundle; "" if nothing. */
  restoreErrors(bundlePath: string): Promise<string>
}

export interface OpenCheckpoint {
  /** Of the container, when it was captured. */
  readonly name: string
  /** Names of the image that its root file system was made from, the most exact first. */
  readonly imageReferences: readonly string[]
  /**
   * Errors: `invalid-argument` with what keeps its processes from going on in a container like this. Strict: also when
   * the spec describes another process.
   */
  check(spec: Spec, isStrict: boolean): void
  /** Puts the files that it had changed into the empty writable layer. */
  fill(ctx: Ctx, upper: string): Promise<void>
  /** Deletes those that it had deleted, from the mounted root file system. */
  deleteIn(ctx: Ctx, rootfs: string): Promise<void>
  /** Hands over CRIU's images: into a directory on the same file system, which does not exist yet. */
  moveImages(to: { readonly target: string; readonly hostname: string }): Promise<void>
  close(ctx: Ctx): Promise<void>
}
