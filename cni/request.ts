import type { ConfList, PluginConf } from './conf-list.ts'
import type { JsonObject } from './json.ts'
import { type AddResult, renderResult } from './result.ts'
import { type CniVersion, isAtLeast } from './version.ts'

export interface RequestInput {
  readonly list: ConfList
  readonly plugin: PluginConf
  readonly version: CniVersion
  /** undefined for STATUS and GC. */
  readonly capabilities?: Readonly<Record<string, unknown>>
  readonly previous?: AddResult | undefined
  /** Ids of the attachments that stay: GC only. */
  readonly validAttachments?: readonly { readonly containerID: string; readonly ifname: string }[]
}

/**
 * The request configuration of one plugin (CNI spec, section 3): the plugin's object as it is in the file, with
 * name and version of the list, what lighter knows about the attachment, and without the keys that are lighter's.
 */
export function renderRequest(input: RequestInput): string {
  const { list, plugin, version, previous, validAttachments } = input
  const runtimeConfig = runtimeConfigOf(plugin, input.capabilities ?? {})
  const request: JsonObject = {
    ...ownKeys(plugin.json),
    name: list.name,
    cniVersion: version,
    ...(Object.keys(runtimeConfig).length > 0 ? { runtimeConfig } : {}),
    ...(previous ? { prevResult: renderResult(previous, version) } : {}),
    ...(validAttachments ? { 'cni.dev/valid-attachments': validAttachments } : {}),
  }
  return JSON.stringify(request)
}

/** DEL and CHECK get the result of ADD since 0.4.0. */
export function previousForDel(result: AddResult | undefined, version: CniVersion): AddResult | undefined {
  return isAtLeast(version, '0.4.0') ? result : undefined
}

/**
 * True if the plugin has nothing to do for the attachment. portmap without port mappings hands prevResult on
 * unchanged at ADD and finds nothing at CHECK; at DEL, releases before 1.6 spend 40-100 ms in iptables looking for
 * chains that were never made. First in a list it has no prevResult to hand on, and is run.
 */
export function hasNothingToDo(
  plugin: PluginConf,
  input: Pick<RequestInput, 'list' | 'capabilities'>,
): boolean {
  if (plugin.type !== 'portmap' || plugin === input.list.plugins[0]) return false
  if (!plugin.capabilities.includes('portMappings')) return true
  const mappings = input.capabilities?.['portMappings']
  return mappings === undefined || (Array.isArray(mappings) && mappings.length === 0)
}

function runtimeConfigOf(plugin: PluginConf, capabilities: Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(
    Object.entries(capabilities).filter(
      ([name, value]) => value !== undefined && plugin.capabilities.includes(name),
    ),
  )
}

function ownKeys(json: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(json).filter(([key]) => !reservedKeys.includes(key) && !key.startsWith('cni.dev/')),
  )
}

const reservedKeys: readonly string[] = ['capabilities', 'runtimeConfig', 'prevResult', 'cniVersions']
