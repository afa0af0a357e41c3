import { link, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock'
import { messageOf, RuntimeError } from '#base/errors'
import { fileError, makeDirectory, readFileIfExists, removePath, writeFileAtomic } from '#base/files'
import type { Log } from '#base/log'
import { type CacheEntry, type LostEntry, parseEntry, renderEntry, renderLostEntry } from './cache-entry.ts'
import { type JsonObject, parseJsonObject } from './json.ts'
import { cniLimits } from './limits.ts'
import { type AddResult, parseResult, renderResult } from './result.ts'

/**
 * Attachments on disk: ID.json before ADD, which survives power loss because leases do, and ID.result after it,
 * which need not, because nothing but leases does, and they are released without it. The ids are kept in memory.
 */
export interface AttachmentCache {
  /** Errors: `internal` if the directory cannot be made or read. */
  start(): Promise<void>
  ids(): readonly string[]
  has(containerId: string): boolean
  /** undefined if there is none. */
  read(containerId: string): Promise<CacheEntry | LostEntry | undefined>
  write(entry: Omit<CacheEntry, 'result'>): Promise<void>
  writeResult(containerId: string, result: AddResult): Promise<void>
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
  const resultFileOf = (containerId: string) => join(deps.cacheDir, `${containerId}${resultSuffix}`)

  async function store(containerId: string, json: JsonObject): Promise<void> {
    const text = `${JSON.stringify(json)}\n`
    if (Buffer.byteLength(text) > cniLimits.cacheFileBytes) {
      // One that cannot be read again would be lost for DEL.
      throw new RuntimeError(
        'invalid-argument',
        `what sandbox "${containerId}" declares to its network has more than ${cniLimits.cacheFileBytes} bytes: fewer port mappings or annotations are needed`,
      )
    }
    const isNew = !ids.has(containerId)
    ids.add(containerId)
    try {
      await writeFileAtomic(fileOf(containerId), text, { durability: 'power loss' })
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
    await link(fileOf(containerId), kept)
    await store(containerId, renderLostEntry(containerId))
    return { containerId, list: undefined }
  }

  return {
    ids: () => [...ids],
    has: containerId => ids.has(containerId),
    async start() {
      await makeDirectory(deps.cacheDir, 0o750)
      const names = await namesIn(deps.cacheDir)
      for (const name of names) if (name.endsWith(suffix)) ids.add(name.slice(0, -suffix.length))
      for (const name of names) {
        const isOrphan = name.endsWith(resultSuffix) && !ids.has(name.slice(0, -resultSuffix.length))
        if (isOrphan || name.endsWith('.tmp')) await removePath(join(deps.cacheDir, name))
      }
    },
    async read(containerId) {
      const text = await readBounded(fileOf(containerId))
      if (text === undefined) return undefined
      try {
        const entry = parseEntry(containerId, text)
        return entry.list
          ? { ...entry, result: await readResult(resultFileOf(containerId), deps.log) }
          : entry
      } catch (err) {
        return await quarantine(containerId, messageOf(err))
      }
    },
    write: entry => store(entry.containerId, renderEntry(entry)),
    async writeResult(containerId, result) {
      const text = `${JSON.stringify(renderResult(result, '1.1.0'))}\n`
      await writeFileAtomic(resultFileOf(containerId), text, { durability: 'process death' })
    },
    async forget(containerId) {
      await removePath(resultFileOf(containerId))
      await removePath(fileOf(containerId))
      ids.delete(containerId)
    },
  }
}

const suffix = '.json'
const resultSuffix = '.result'

/** "", which is no entry, for a file that is too large to be one; undefined if there is none. */
async function readBounded(file: string): Promise<string | undefined> {
  try {
    return (await readFileIfExists(file, cniLimits.cacheFileBytes))?.toString()
  } catch (err) {
    if (err instanceof RuntimeError && err.kind === 'resource-exhausted') return ''
    throw err
  }
}

async function readResult(file: string, log: Log): Promise<AddResult | undefined> {
  const text = await readBounded(file)
  if (text === undefined) return undefined
  try {
    return parseResult(parseJsonObject(text))
  } catch (err) {
    log.warn({ file, err: messageOf(err) }, 'CNI result cannot be read: DEL goes without it')
    return undefined
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (err) {
    throw fileError(`cannot read ${directory}`, err)
  }
}
