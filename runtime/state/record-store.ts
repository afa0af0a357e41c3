import { readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, messageOf } from '#base/errors'
import { fileError, makeDirectory, readFileIfExists, writeFileAtomic } from '#base/files'
import type { Log } from '#base/log'

/** A record larger than this is not one of ours. */
const maxRecordBytes = 4 * 1024 * 1024
/** Records are read this many at a time at start. */
const readsAtOnce = 32

/** One small JSON file per object: `DIR/ID.json`. Disk is the truth; what does not parse goes to quarantine. */
export interface RecordStore<T> {
  /** All records. An unreadable one is moved to the quarantine directory and logged, never deleted, never fatal. */
  load(): Promise<readonly T[]>
  /** isDurable: survives power loss, not only the death of the daemon. */
  write(id: string, value: T, isDurable: boolean): Promise<void>
  /** Absent is fine. */
  remove(id: string): Promise<void>
}

export interface RecordStoreInput<T> {
  readonly directory: string
  readonly quarantineDirectory: string
  readonly encode: (value: T) => unknown
  /** Throws on anything that is not a record of this kind. */
  readonly decode: (json: unknown) => T
  readonly log: Log
}

export function createRecordStore<T>(input: RecordStoreInput<T>): RecordStore<T> {
  const pathOf = (id: string): string => join(input.directory, `${id}.json`)

  async function loadOne(name: string): Promise<T[]> {
    const path = join(input.directory, name)
    try {
      const bytes = await readFileIfExists(path, maxRecordBytes)
      return bytes ? [input.decode(JSON.parse(bytes.toString('utf8')))] : []
    } catch (err) {
      const quarantined = join(input.quarantineDirectory, `${String(Date.now())}-${name}`)
      input.log.error({ path, quarantined, err: messageOf(err) }, 'record cannot be read, set aside')
      await makeDirectory(input.quarantineDirectory, 0o700)
      await rename(path, quarantined)
      return []
    }
  }

  return {
    async load() {
      await makeDirectory(input.directory, 0o700)
      const entries = await readdir(input.directory)
      // Temporary files are writes that a crash interrupted before their rename: they never counted.
      const temporaries = entries.filter(name => name.endsWith('.tmp'))
      await Promise.all(temporaries.map(name => unlink(join(input.directory, name))))
      const names = entries.filter(name => name.endsWith('.json'))
      const loaded: T[] = []
      for (let i = 0; i < names.length; i += readsAtOnce) {
        const some = await Promise.all(names.slice(i, i + readsAtOnce).map(loadOne))
        loaded.push(...some.flat())
      }
      return loaded
    },
    write: (id, value, isDurable) =>
      writeFileAtomic(pathOf(id), JSON.stringify(input.encode(value)), { mode: 0o600, isDurable }),
    async remove(id) {
      try {
        await unlink(pathOf(id))
      } catch (err) {
        if (errnoOf(err) !== 'ENOENT') throw fileError(`cannot remove the record of "${id}"`, err)
      }
    },
  }
}
