import { createHash } from 'node:crypto'
import { readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError, makeDirectory, readFileIfExists, removePath } from '#base/files'
import { type Digest, digestHex, type Ids, isDigest } from '#base/ids'
import { createKeyedLock } from '#base/locks'
import type { Descriptor } from '../manifest.ts'
import { type Ingest, openIngest } from './ingest.ts'

/** Content-addressed blobs, `blobs/sha256/HEX`. A blob is there whole and verified, or not at all. */
export interface Blobs {
  /** Makes the directories, removes what an interrupted ingest left, counts what is there. */
  start(): Promise<void>
  has(digest: Digest): boolean
  path(digest: Digest): string
  /** Errors: `not-found`, `resource-exhausted` over maxBytes, `data-loss` if the disk changed the bytes. */
  read(digest: Digest, maxBytes: number): Promise<Buffer>
  /** Stores bytes that are in memory, durably. */
  put(bytes: Uint8Array): Promise<Digest>
  /** Where a download writes; see Ingest. `isDurable` false: the blob may be lost with the power. */
  ingest(blob: Pick<Descriptor, 'digest' | 'size'>, isDurable: boolean): Promise<Ingest>
  /** Absent is fine. */
  remove(digest: Digest): Promise<void>
  sizes(): ReadonlyMap<Digest, number>
}

export interface BlobsDeps {
  /** `ROOT/content`. */
  readonly directory: string
  readonly ids: Ids
}

export function createBlobs(deps: BlobsDeps): Blobs {
  const sizes = new Map<Digest, number>()
  const lock = createKeyedLock()
  const blobDirectory = join(deps.directory, 'blobs', 'sha256')
  const ingestDirectory = join(deps.directory, 'ingest')
  const path = (digest: Digest) => join(blobDirectory, digestHex(digest))

  const ingest: Blobs['ingest'] = (blob, isDurable) =>
    openIngest({
      temporary: join(ingestDirectory, deps.ids.token()),
      target: path(blob.digest),
      digest: blob.digest,
      size: blob.size,
      isDurable,
      publish: rename =>
        lock.run(blob.digest, async () => {
          await rename()
          sizes.set(blob.digest, blob.size)
        }),
    })

  return {
    async start() {
      await removePath(ingestDirectory)
      await makeDirectory(ingestDirectory, 0o700)
      await makeDirectory(blobDirectory, 0o700)
      sizes.clear()
      for (const [digest, size] of await scan(blobDirectory)) sizes.set(digest, size)
    },
    has: digest => sizes.has(digest),
    path,
    read: (digest, maxBytes) => readVerified(path(digest), digest, maxBytes),
    async put(bytes) {
      const digest = digestOf(bytes)
      if (sizes.has(digest)) return digest
      const file = await ingest({ digest, size: bytes.byteLength }, true)
      try {
        await file.write(bytes)
        await file.commit()
      } finally {
        await file.close()
      }
      return digest
    },
    ingest,
    remove(digest) {
      sizes.delete(digest)
      return lock.run(digest, async () => {
        // Stored again meanwhile, by somebody who needs it.
        if (sizes.has(digest)) return
        await unlink(path(digest)).catch((err: unknown) => {
          if (errnoOf(err) !== 'ENOENT') throw fileError(`cannot remove blob ${digest}`, err)
        })
      })
    },
    sizes: () => sizes,
  }
}

export function digestOf(bytes: Uint8Array): Digest {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  if (!isDigest(digest)) throw new RuntimeError('internal', 'sha256 gave no digest')
  return digest
}

async function scan(directory: string): Promise<readonly (readonly [Digest, number])[]> {
  try {
    const found: (readonly [Digest, number])[] = []
    for (const name of await readdir(directory)) {
      const digest = `sha256:${name}`
      if (isDigest(digest)) found.push([digest, (await stat(join(directory, name))).size])
    }
    return found
  } catch (err) {
    throw fileError(`cannot read ${directory}`, err)
  }
}

async function readVerified(path: string, digest: Digest, maxBytes: number): Promise<Buffer> {
  const bytes = await readFileIfExists(path, maxBytes)
  if (!bytes) throw new RuntimeError('not-found', `there is no blob ${digest}`)
  if (digestOf(bytes) !== digest) throw new RuntimeError('data-loss', `blob ${digest} is damaged on disk`)
  return bytes
}
