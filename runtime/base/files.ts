import { constants } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf, messageOf, RuntimeError } from './errors.ts'

/**
 * What a finished write survives. `process death`: nothing is synced. `whole`: power loss may take the write back, but
 * never leaves half of it (the file is synced before its rename). `power loss`: the directory is synced, too.
 */
export type Durability = 'process death' | 'whole' | 'power loss'

export interface AtomicWrite {
  readonly mode?: number
  readonly durability: Durability
}

let temporaryNumber = 0

/** The one way state is written: temporary file beside the target, sync if asked, rename. */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  write: AtomicWrite,
): Promise<void> {
  const temporary = `${path}.${String(process.pid)}-${String(temporaryNumber++)}.tmp`
  try {
    const file = await open(temporary, 'wx', write.mode ?? 0o640)
    try {
      await file.writeFile(data)
      if (write.durability !== 'process death') await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    if (write.durability === 'power loss') await syncDirectory(dirname(path))
  } catch (err) {
    await unlink(temporary).catch(() => undefined)
    throw fileError(`cannot write ${path}`, err)
  }
}

/** Makes renames and removals inside `path` survive power loss. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** The bytes of a file of at most `maxBytes`; undefined if there is none. */
export async function readFileIfExists(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(path)
    if (size > maxBytes) {
      throw new RuntimeError(
        'resource-exhausted',
        `${path} has ${String(size)} bytes, more than ${String(maxBytes)}`,
      )
    }
    return await readFile(path)
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return undefined
    throw fileError(`cannot read ${path}`, err)
  }
}

export async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode })
  } catch (err) {
    throw fileError(`cannot make directory ${path}`, err)
  }
}

/** Removes a file, or a directory with what is in it; absent is fine. For trees of images use the native helper. */
export async function removePath(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (err) {
    throw fileError(`cannot remove ${path}`, err)
  }
}

export async function pathExists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (err) {
    if (errnoOf(err) === 'ENOENT' || errnoOf(err) === 'ENOTDIR') return false
    throw fileError(`cannot look at ${path}`, err)
  }
}

/** A file system failure as a RuntimeError: a full disk is `resource-exhausted`, the rest `internal`. */
export function fileError(doing: string, err: unknown): RuntimeError {
  if (err instanceof RuntimeError) return err
  const errno = errnoOf(err)
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT'
  return new RuntimeError(
    isFull ? 'resource-exhausted' : 'internal',
    `${doing}: ${errno ?? messageOf(err)}`,
    {
      cause: err,
    },
  )
}
