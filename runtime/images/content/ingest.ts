import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RuntimeError } from '#base/errors'
import { fileError, syncDirectory } from '#base/files'
import type { Digest } from '#base/ids'

/**
 * A blob being written: hashed and counted on the way, visible under its digest only when both are right. close()
 * is always called; before commit() it removes what was written.
 */
export interface Ingest {
  /** Bytes so far; a download that was cut goes on from here. */
  readonly written: number
  /** Errors: `data-loss` when there is more than the blob has; `resource-exhausted` when the disk is full. */
  write(chunk: Uint8Array): Promise<void>
  /** Forgets what was written. */
  restart(): Promise<void>
  /** Errors: `data-loss` if size or digest differ. */
  commit(): Promise<void>
  close(): Promise<void>
}

export interface IngestInput {
  readonly temporary: string
  readonly target: string
  readonly digest: Digest
  readonly size: number
  readonly isDurable: boolean
  /** Makes the blob visible: runs the rename when nobody is removing the blob of that digest. */
  readonly publish: (rename: () => Promise<void>) => Promise<void>
}

export async function openIngest(input: IngestInput): Promise<Ingest> {
  const doing = `cannot store blob ${input.digest}`
  let file: FileHandle | undefined
  try {
    file = await open(input.temporary, 'wx', 0o600)
  } catch (err) {
    throw fileError(doing, err)
  }
  const handle = file
  let hash: Hash = createHash('sha256')
  let written = 0
  let isCommitted = false
  return {
    get written() {
      return written
    },
    async write(chunk) {
      if (written + chunk.byteLength > input.size) {
        throw new RuntimeError('data-loss', `blob ${input.digest} is longer than ${String(input.size)} bytes`)
      }
      try {
        await writeAll(handle, chunk, written)
      } catch (err) {
        throw fileError(doing, err)
      }
      hash.update(chunk)
      written += chunk.byteLength
    },
    async restart() {
      hash = createHash('sha256')
      written = 0
      await handle.truncate(0)
    },
    async commit() {
      checkBlob(input, written, hash)
      try {
        if (input.isDurable) await handle.datasync()
        await input.publish(async () => {
          await rename(input.temporary, input.target)
          isCommitted = true
        })
        if (input.isDurable) await syncDirectory(dirname(input.target))
      } catch (err) {
        throw fileError(doing, err)
      }
    },
    async close() {
      await handle.close()
      if (!isCommitted) await unlink(input.temporary).catch(() => undefined)
    },
  }
}

function checkBlob(input: IngestInput, written: number, hash: Hash): void {
  if (written !== input.size) {
    throw new RuntimeError(
      'data-loss',
      `blob ${input.digest} has ${String(written)} bytes, not ${String(input.size)}`,
    )
  }
  const got = `sha256:${hash.digest('hex')}`
  if (got !== input.digest) throw new RuntimeError('data-loss', `blob ${input.digest} has the digest ${got}`)
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < chunk.byteLength) {
    const { bytesWritten } = await file.write(chunk, done, chunk.byteLength - done, position + done)
    done += bytesWritten
  }
}
