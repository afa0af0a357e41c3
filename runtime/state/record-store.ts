import { readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, messageOf } from '#base/errors'
import {
  type Durability,
  fileError,
  makeDirectory,
  readFileIfExists,
  syncDirectory,
  writeFileAtomic,
} from '#base/files'
import type { Log } from '#base/log'

/** A record larger than this is not one of ours. */
const maxRecordBytes = 16 * 1024 * 1024
/** Records are read this many at a time at start. */
const readsAtOnce = 32

/**
 * One small JSON file per object: `DIRECTORY/NAME.json`, repairable with cat and rm. Disk is the truth; what does not
 * parse goes to quarantine.
 */
export interface RecordStore<T> {
  /** By name. An unreadable one is moved to the quarantine directory and logged, never deleted, never fatal. */
  load(): Promise<ReadonlyMap<string, T>>
  write(name: string, value: T, durability?: Durability): Promise<void>
  /** Absent is fine. */
  remove(name: string): Promise<void>
}

export interface RecordStoreInput<T> {
  readonly directory: string
  readonly quarantineDirectory: string
  /** Of a write that does not say another, and of removals. */
  readonly durability: Durability
  /** What goes into JSON.stringify. */
  readonly encode: (value: T) => unknown
  /** Throws on anything that is not a record of this kind. `name` is the file's name without .json. */
  readonly decode: (json: unknown, name: string) => T
  readonly log: Log
}

export function createRecordStore<T>(input: RecordStoreInput<T>): RecordStore<T> {
  const { directory, durability: usual } = input
  const pathOf = (name: string): string => join(directory, `${name}.json`)

  return {
    async load() {
      await makeDirectory(directory, 0o700)
      const entries = await readdir(directory)
      // Temporary files are writes that a crash interrupted before their rename: they never counted.
      const temporaries = entries.filter(entry => entry.includes('.json.') && entry.endsWith('.tmp'))
      await Promise.all(temporaries.map(entry => unlink(join(directory, entry))))
      const names = entries
        .filter(entry => entry.endsWith('.json'))
        .map(entry => entry.slice(0, -'.json'.length))
      const loaded = new Map<string, T>()
      for (let i = 0; i < names.length; i += readsAtOnce) {
        const some = await Promise.all(names.slice(i, i + readsAtOnce).map(name => loadOne(input, name)))
        for (const [name, value] of some.flat()) loaded.set(name, value)
      }
      return loaded
    },
    write: (name, value, durability = usual) =>
      writeFileAtomic(pathOf(name), `${JSON.stringify(input.encode(value), null, 1)}\n`, {
        mode: 0o600,
        durability,
      }),
    async remove(name) {
      try {
        await unlink(pathOf(name))
        if (usual === 'power loss') await syncDirectory(directory)
      } catch (err) {
        if (errnoOf(err) !== 'ENOENT') throw fileError(`cannot remove the record of "${name}"`, err)
      }
    },
  }
}

async function loadOne<T>(
  input: RecordStoreInput<T>,
  name: string,
): Promise<readonly (readonly [string, T])[]> {
  const path = join(input.directory, `${name}.json`)
  try {
    const bytes = await readFileIfExists(path, maxRecordBytes)
    return bytes ? [[name, input.decode(JSON.parse(bytes.toString('utf8')), name)]] : []
  } catch (err) {
    const quarantined = join(input.quarantineDirectory, `${Date.now()}-${name}.json`)
    input.log.error({ path, quarantined, err: messageOf(err) }, 'record cannot be read, set aside')
    await makeDirectory(input.quarantineDirectory, 0o700)
    await rename(path, quarantined)
    return []
  }
}
