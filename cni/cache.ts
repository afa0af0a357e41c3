import { mkdir, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { fileError, makeDirectory, readFileIfExists, removePath, writeFileAtomic } from '#base/files'
import type { Log } from '#base/log'
import { type ConfList, parseConfList, renderConfList } from './conf-list.ts'
import { countField, type JsonObject, objectField, parseJsonObject, textField } from './json.ts'
import { cniLimits } from './limits.ts'
import { type AddResult, parseResult, renderResult } from './result.ts'
import type { CniVersion } from './version.ts'

/** How one container was attached: what DEL and CHECK need, also after a restart. */
export interface CacheEntry {
  readonly containerId: string
  readonly netnsPath: string
  readonly args: Readonly<Record<string, string>>
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly list: ConfList
  readonly version: CniVersion
  /** undefined: ADD has not succeeded. */
  readonly result: AddResult | undefined
}

/** Something may be attached, but its entry could not be read and was put into quarantine. */
export interface LostEntry {
  readonly containerId: string
  readonly list: undefined
}

/** Attachments on disk, one file each; the ids are kept in memory. */
export interface AttachmentCache {
  /** Errors: `internal` if the directory cannot be made or read. */
  start(): Promise<void>
  ids(): readonly string[]
  has(containerId: string): boolean
  /** undefined if there is none. */
  read(containerId: string): Promise<CacheEntry | LostEntry | undefined>
  write(entry: CacheEntry): Promise<void>
  forget(containerId: string): Promise<void>
}

interface CacheDeps {
  readonly cacheDir: string
  readonly clock: Clock
  readonly log: Log
}

export function createAttachmentCache(deps: CacheDeps): AttachmentCache {
  const ids = new Set<string>()
  const fileOf = (containerId: string) => join(deps.cacheDir, `${containerId}${suffix}`)

  async function store(containerId: string, json: JsonObject): Promise<void> {
    const isNew = !ids.has(containerId)
    ids.add(containerId)
    try {
      await writeFileAtomic(fileOf(containerId), `${JSON.stringify(json)}\n`, { isDurable: true })
    } catch (err) {
      if (isNew) ids.delete(containerId)
      throw err
    }
  }

  async function quarantine(containerId: string, reason: string): Promise<LostEntry> {
    const directory = join(deps.cacheDir, 'quarantine')
    const kept = join(directory, `${containerId}-${deps.clock.now()}${suffix}`)
    deps.log.error({ containerId, kept, reason }, 'CNI cache entry cannot be read: put into quarantine')
    await mkdir(directory, { recursive: true })
    await rename(fileOf(containerId), kept)
    await store(containerId, { format, containerId })
    return { containerId, list: undefined }
  }

  return {
    ids: () => [...ids],
    has: containerId => ids.has(containerId),
    async start() {
      await makeDirectory(deps.cacheDir, 0o750)
      for (const name of await namesIn(deps.cacheDir)) {
        if (name.endsWith('.tmp')) await removePath(join(deps.cacheDir, name))
        else if (name.endsWith(suffix)) ids.add(name.slice(0, -suffix.length))
      }
    },
    async read(containerId) {
      const bytes = await readFileIfExists(fileOf(containerId), cniLimits.cacheFileBytes).catch(
        (err: unknown) => {
          if (err instanceof RuntimeError && err.kind === 'resource-exhausted') return Buffer.alloc(0)
          throw err
        },
      )
      if (!bytes) return undefined
      try {
        return parseEntry(containerId, bytes.toString())
      } catch (err) {
        return await quarantine(containerId, messageOf(err))
      }
    },
    write: entry => store(entry.containerId, renderEntry(entry)),
    async forget(containerId) {
      try {
        await unlink(fileOf(containerId))
      } catch (err) {
        if (errnoOf(err) !== 'ENOENT') throw fileError(`cannot remove ${fileOf(containerId)}`, err)
      }
      ids.delete(containerId)
    },
  }
}

const suffix = '.json'

/** Of the files; another one is for a later lighter, and is treated as unreadable. */
const format = 1

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (err) {
    throw fileError(`cannot read ${directory}`, err)
  }
}

function renderEntry(entry: CacheEntry): JsonObject {
  const { containerId, netnsPath, args, capabilities, list, version, result } = entry
  return {
    format,
    containerId,
    netnsPath,
    args,
    capabilities,
    confFile: list.file,
    confList: renderConfList(list, version),
    ...(result ? { result: renderResult(result, '1.1.0') } : {}),
  }
}

function parseEntry(containerId: string, text: string): CacheEntry | LostEntry {
  const json = parseJsonObject(text)
  if (countField(json, 'format') !== format || textField(json, 'containerId') !== containerId) {
    throw new RuntimeError('data-loss', `not an entry of format ${format} for ${containerId}`)
  }
  const confList = objectField(json, 'confList')
  if (!confList) return { containerId, list: undefined }
  const parsed = parseConfList('cached.conflist', JSON.stringify(confList))
  const version = parsed.versions.at(-1)
  if (version === undefined) throw new RuntimeError('data-loss', 'no CNI version')
  const args = objectField(json, 'args') ?? {}
  const result = objectField(json, 'result')
  return {
    containerId,
    netnsPath: textField(json, 'netnsPath') ?? '',
    args: Object.fromEntries(Object.keys(args).map(key => [key, textField(args, key) ?? ''])),
    capabilities: objectField(json, 'capabilities') ?? {},
    list: { ...parsed, file: textField(json, 'confFile') ?? parsed.file },
    version,
    result: result ? parseResult(result) : undefined,
  }
}
