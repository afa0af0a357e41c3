import { readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, messageOf } from '#base/errors'
import { fileError, makeDirectory, readFileIfExists, syncDirectory, writeFileAtomic } from '#base/files'
import type { Log } from '#base/log'
import { type JsonObject, parseJsonObject } from './json.ts'
import { imageLimits } from './limits.ts'

/** One durable JSON file per object, `DIRECTORY/NAME.json`; repairable with cat and rm. */
export interface RecordFiles<T> {
  /** Reads all. What does not parse goes to quarantine/ and into the log, and is not answered. */
  load(): Promise<ReadonlyMap<string, T>>
  save(name: string, value: T): Promise<void>
  /** Absent is fine. */
  remove(name: string): Promise<void>
}

export interface RecordFilesDeps<T> {
  readonly directory: string
  readonly quarantine: string
  readonly log: Log
  /** Throws if the object is not a T; `name` is the file's name without .json. */
  readonly parse: (object: JsonObject, name: string) => T
  /** What goes into JSON.stringify. */
  readonly encode: (value: T) => JsonObject
}

export function createRecordFiles<T>(deps: RecordFilesDeps<T>): RecordFiles<T> {
  const path = (name: string) => join(deps.directory, `${name}.json`)
  return {
    async load() {
      await makeDirectory(deps.directory, 0o700)
      const records = new Map<string, T>()
      for (const file of await readdir(deps.directory)) {
        if (file.endsWith('.tmp') && file.includes('.json.')) await unlink(join(deps.directory, file))
        if (!file.endsWith('.json')) continue
        const name = file.slice(0, -'.json'.length)
        try {
          const bytes = await readFileIfExists(path(name), imageLimits.recordBytes)
          records.set(name, deps.parse(parseJsonObject(bytes ?? Buffer.alloc(0), file), name))
        } catch (err) {
          deps.log.error(
            { file: path(name), err: messageOf(err) },
            'record does not parse, put in quarantine',
          )
          await quarantine(deps, file)
        }
      }
      return records
    },
    async save(name, value) {
      await writeFileAtomic(path(name), `${JSON.stringify(deps.encode(value), null, 1)}\n`, {
        isDurable: true,
      })
    },
    async remove(name) {
      try {
        await unlink(path(name))
        await syncDirectory(deps.directory)
      } catch (err) {
        if (errnoOf(err) !== 'ENOENT') throw fileError(`cannot remove record ${path(name)}`, err)
      }
    },
  }
}

async function quarantine<T>(deps: RecordFilesDeps<T>, file: string): Promise<void> {
  await makeDirectory(deps.quarantine, 0o700)
  try {
    await rename(join(deps.directory, file), join(deps.quarantine, `${String(Date.now())}-${file}`))
  } catch (err) {
    throw fileError(`cannot move ${file} to ${deps.quarantine}`, err)
  }
}
