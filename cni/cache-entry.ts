import { RuntimeError } from '#base/errors'
import { type ConfList, parseConfList, renderConfList } from './conf-list.ts'
import { countField, type JsonObject, objectField, parseJsonObject, textField } from './json.ts'
import type { AddResult } from './result.ts'
import type { CniVersion } from './version.ts'

/** How one container was attached: what DEL and CHECK need, also after a restart. */
export interface CacheEntry {
  readonly containerId: string
  readonly netnsPath: string
  readonly args: Readonly<Record<string, string>>
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly list: ConfList
  readonly version: CniVersion
  /** undefined: ADD has not succeeded, or the machine went down soon after. */
  readonly result: AddResult | undefined
}

/** Something may be attached, but its entry could not be read and was put into quarantine. */
export interface LostEntry {
  readonly containerId: string
  readonly list: undefined
}

/** Of the files; another one is for a later lighter, and is treated as unreadable. */
const format = 1

export function renderEntry(entry: Omit<CacheEntry, 'result'>): JsonObject {
  const { containerId, netnsPath, args, capabilities, list, version } = entry
  return {
    format,
    containerId,
    netnsPath,
    args,
    capabilities,
    confFile: list.file,
    confList: renderConfList(list, version),
  }
}

export function renderLostEntry(containerId: string): JsonObject {
  return { format, containerId }
}

/** Errors: `data-loss` or `invalid-argument` if the text is no entry of that container. */
export function parseEntry(containerId: string, text: string): Omit<CacheEntry, 'result'> | LostEntry {
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
  return {
    containerId,
    netnsPath: textField(json, 'netnsPath') ?? '',
    args: Object.fromEntries(Object.keys(args).map(key => [key, textField(args, key) ?? ''])),
    capabilities: objectField(json, 'capabilities') ?? {},
    list: { ...parsed, file: textField(json, 'confFile') ?? parsed.file },
    version,
  }
}
