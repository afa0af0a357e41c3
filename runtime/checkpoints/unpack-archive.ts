import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'
import type { EngineLimits } from '../engine-config.ts'
import { compressionOf } from '../images/unpack/unpack-layer.ts'
import { checkpointLimits } from './limits.ts'

export interface UnpackArchiveInput {
  readonly archive: string
  /** Existing and empty. */
  readonly directory: string
  readonly limits: Pick<EngineLimits, 'layerBytes' | 'layerInodes'>
  readonly timeoutMs: number
}

/** What unpacks a tar that may be hostile: lighter-unpack, which cannot leave the directory (shim/PROTOCOL.md). */
export interface Unpacker {
  readonly host: Programs
  readonly unpackProgram: string
}

/**
 * Errors: `invalid-argument` if it is no tar or does not stay inside, `resource-exhausted` if it is over the limits or
 * the disk is full. What was written stays there.
 */
export async function unpackArchive(ctx: Ctx, unpacker: Unpacker, input: UnpackArchiveInput): Promise<void> {
  const { archive, directory, limits } = input
  const compression = await compressionOf(archive)
  const { exitCode, stderr } = await unpacker.host.run(ctx, {
    argv: [
      unpacker.unpackProgram,
      ...['--blob', archive, '--dest', directory, '--compression', compression],
      ...['--max-bytes', String(limits.layerBytes), '--max-inodes', String(limits.layerInodes)],
    ],
    env: [],
    timeoutMs: input.timeoutMs,
  })
  if (exitCode === 0) return
  const text = stderr.toString().trim().slice(0, checkpointLimits.messageLength)
  const isOverLimit = /No space left|Disk quota exceeded|layer has|layer is larger/.test(text)
  throw new RuntimeError(
    isOverLimit ? 'resource-exhausted' : 'invalid-argument',
    `cannot unpack ${archive}: ${text || `exit code ${exitCode}`}`,
  )
}
