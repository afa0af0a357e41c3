import { open } from 'node:fs/promises'
import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import type { Digest } from '#base/ids'
import { type Programs, programLimits } from '#base/programs'
import { imageLimits } from '../limits.ts'

export interface UnpackInput {
  readonly blobPath: string
  /** Digest of the compressed blob, for messages and for the last check of the bytes on disk. */
  readonly digest: Digest
  readonly diffId: Digest
  /** Existing empty directory. */
  readonly directory: string
  readonly maxBytes: number
  readonly maxInodes: number
}

export interface UnpackedLayer {
  readonly bytes: number
  readonly inodes: number
  /** Directories the layer needs but does not describe, relative to its root; one character per byte (latin1). */
  readonly implicitDirectories: readonly string[]
}

/**
 * Unpacks one layer with lighter-unpack (shim/PROTOCOL.md). Errors: `data-loss` if the bytes or the diff id are not
 * what manifest and config say, `resource-exhausted` if the disk is full, `failed-precondition` for a layer that
 * cannot be unpacked, besides those of Programs.run. What was written to the directory stays there.
 */
export async function unpackLayer(
  ctx: Ctx,
  programs: { readonly host: Programs; readonly unpackProgram: string },
  input: UnpackInput,
): Promise<UnpackedLayer> {
  const argv = [programs.unpackProgram, '--blob', input.blobPath, '--dest', input.directory]
  argv.push('--compression', await compressionOf(input.blobPath))
  argv.push('--max-bytes', String(input.maxBytes), '--max-inodes', String(input.maxInodes))
  const result = await programs.host.run(ctx, { argv, env: [], timeoutMs: imageLimits.unpackTimeoutMs })
  if (result.exitCode !== 0) throw unpackError(input.digest, result.exitCode, result.stderr)
  if (result.stdout.byteLength >= programLimits.outputBytes) {
    throw new RuntimeError(
      'resource-exhausted',
      `layer ${input.digest} has too many directories without an entry of their own`,
    )
  }
  const report = parseReport(result.stdout.toString('latin1'), input.digest)
  if (report.blob !== input.digest) {
    throw new RuntimeError('data-loss', `layer ${input.digest} was read back as ${report.blob}`)
  }
  if (report.diffId !== input.diffId) {
    throw new RuntimeError(
      'data-loss',
      `layer ${input.digest} unpacks to ${report.diffId}, but the image config says ${input.diffId}`,
    )
  }
  return report
}

/** By the first bytes, as every runtime does: media types are often wrong about it. */
export async function compressionOf(path: string): Promise<'none' | 'gzip' | 'zstd'> {
  const head = Buffer.alloc(4)
  try {
    const file = await open(path, 'r')
    try {
      await file.read(head, 0, head.length, 0)
    } finally {
      await file.close()
    }
  } catch (err) {
    throw fileError(`cannot read ${path}`, err)
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'none'
}

function unpackError(digest: Digest, exitCode: number, stderr: Buffer): RuntimeError {
  const text = stderr.toString('utf8').trim().slice(0, imageLimits.errorTextLength)
  return new RuntimeError(
    limitWords.test(text) ? 'resource-exhausted' : 'failed-precondition',
    `cannot unpack layer ${digest}: ${text === '' ? `exit code ${String(exitCode)}` : text}`,
  )
}

/** How lighter-unpack says that the disk is full, or that the layer is over its limits. */
const limitWords =
  /No space left on device|Disk quota exceeded|layer has (?:more than|too many)|layer is larger than its limits/

interface Report extends UnpackedLayer {
  readonly diffId: string
  readonly blob: string
}

/** The four figures come first and once; file names from the layer come after them and cannot replace them. */
function parseReport(text: string, digest: Digest): Report {
  const figures = new Map<string, string>()
  const implicitDirectories: string[] = []
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    const key = line.slice(0, space)
    const value = line.slice(space + 1)
    if (key === 'implicit') implicitDirectories.push(unquote(value))
    else if (implicitDirectories.length === 0 && !figures.has(key)) figures.set(key, value)
  }
  const figure = (key: string): number => {
    const value = figures.get(key) ?? ''
    if (/^[0-9]{1,15}$/.test(value)) return Number(value)
    throw new RuntimeError('internal', `unpacking layer ${digest} gave no number of ${key}`)
  }
  return {
    diffId: figures.get('diff-id') ?? 'nothing',
    blob: figures.get('blob') ?? 'nothing',
    bytes: figure('bytes'),
    inodes: figure('inodes'),
    implicitDirectories,
  }
}

/** Control characters and backslashes come as \\ooo. */
function unquote(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** Flushes the file system that holds the directory: after it, unpacked layers survive power loss. */
export async function syncFileSystem(ctx: Ctx, host: Programs, directory: string): Promise<void> {
  const argv = ['/bin/sync', '--file-system', directory]
  const result = await host
    .run(ctx, { argv, env: [], timeoutMs: imageLimits.syncTimeoutMs })
    .catch((err: unknown) => {
      if (isKind(err, 'not-found')) throw new RuntimeError('unavailable', '/bin/sync (coreutils) is missing')
      throw err
    })
  if (result.exitCode === 0) return
  throw new RuntimeError('internal', `cannot sync ${directory}: ${result.stderr.toString('utf8').trim()}`)
}
