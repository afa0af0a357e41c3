import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'
import { checkpointLimits } from './limits.ts'

export interface TarInput {
  /** Existing file: what is in it is replaced, its mode stays. */
  readonly archive: string
  readonly directory: string
  /** What of the directory goes into the archive: names, or a file of names that are each followed by a NUL. */
  readonly members: readonly string[] | { readonly listPath: string }
  readonly timeoutMs: number
}

/**
 * Writes a tar archive with GNU tar: owners, modes, times, links, devices and extended attributes, but those of
 * overlayfs. Errors: `resource-exhausted` for a full disk, `failed-precondition` without GNU tar.
 */
export async function writeTar(ctx: Ctx, programs: Programs, input: TarInput): Promise<void> {
  const { members } = input
  const { exitCode, stderr } = await runTar(ctx, programs, {
    timeoutMs: input.timeoutMs,
    args: [
      ...[
        '--create',
        '--file',
        input.archive,
        '--format',
        'pax',
        '--numeric-owner',
        '--directory',
        input.directory,
      ],
      ...['--xattrs', '--xattrs-include', '*', '--xattrs-exclude', 'trusted.overlay.*'],
      ...('listPath' in members
        ? ['--no-recursion', '--null', '--verbatim-files-from', '--files-from', members.listPath]
        : ['--', ...members]),
    ],
  })
  if (exitCode === 0) return
  const text = stderr.toString().trim().slice(-checkpointLimits.messageLength)
  throw new RuntimeError(
    /No space left|Disk quota exceeded|File too large|Wrote only/.test(text)
      ? 'resource-exhausted'
      : 'internal',
    `cannot write ${input.archive}: ${text}`,
  )
}

async function runTar(
  ctx: Ctx,
  programs: Programs,
  { args, timeoutMs }: { readonly args: readonly string[]; readonly timeoutMs: number },
): ReturnType<Programs['run']> {
  try {
    return await programs.run(ctx, { argv: ['/bin/tar', ...args], env: ['LC_ALL=C'], timeoutMs })
  } catch (err) {
    if (!isKind(err, 'not-found')) throw err
    throw new RuntimeError('failed-precondition', 'checkpoints need GNU tar as /bin/tar: install it', {
      cause: err,
    })
  }
}
