import { RuntimeError } from '#base/errors'
import {
  flagField,
  isJsonObject,
  type JsonObject,
  objectField,
  objectsField,
  parseExactJsonObject,
  printable,
  textField,
  textsField,
} from './json.ts'
import { cniLimits } from './limits.ts'
import { type CniVersion, knownVersions, supportedVersions } from './version.ts'

/** One plugin of a conf list. */
export interface PluginConf {
  /** Name of the binary. */
  readonly type: string
  /** Names of the capabilities that it declares; it gets runtimeConfig for these only. */
  readonly capabilities: readonly string[]
  /** Name of the IPAM binary that it calls by itself. */
  readonly ipamType: string | undefined
  /** The object as it is in the file. */
  readonly json: JsonObject
}

/** A network configuration list (CNI spec, section 1). */
export interface ConfList {
  /** Where it was read, for messages. */
  readonly file: string
  readonly name: string
  /** Versions that the list declares and lighter knows, oldest first; at least one. */
  readonly versions: readonly CniVersion[]
  readonly isCheckDisabled: boolean
  readonly isGcDisabled: boolean
  /** At least one. */
  readonly plugins: readonly PluginConf[]
}

const networkName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/**
 * Reads the text of a `.conflist`, or of a `.conf` or `.json` with a single plugin, which becomes a list of one.
 * `loadOnlyInlinedPlugins` makes no difference: lighter always takes the plugins of the file only.
 * Errors: `invalid-argument`, naming the file.
 */
export function parseConfList(file: string, text: string): ConfList {
  try {
    const json = parseExactJsonObject(text)
    return file.endsWith('.conflist') ? fromList(file, json) : fromSingle(file, json)
  } catch (err) {
    if (!(err instanceof RuntimeError)) throw err
    throw new RuntimeError('invalid-argument', `CNI conf file ${file}: ${err.message}`, { cause: err })
  }
}

/** The list as a `.conflist` object with one version: what the cache keeps. */
export function renderConfList(list: ConfList, version: CniVersion): JsonObject {
  return {
    cniVersion: version,
    name: list.name,
    disableCheck: list.isCheckDisabled,
    disableGC: list.isGcDisabled,
    plugins: list.plugins.map(plugin => plugin.json),
  }
}

function fromSingle(file: string, json: JsonObject): ConfList {
  if ('plugins' in json) {
    throw new RuntimeError('invalid-argument', 'has "plugins": rename it so that it ends in .conflist')
  }
  const { cniVersion, cniVersions, name } = json
  return fromList(file, { cniVersion, cniVersions, name, plugins: [json] })
}

function fromList(file: string, json: JsonObject): ConfList {
  const name = textField(json, 'name') ?? ''
  if (!networkName.test(name)) {
    throw new RuntimeError(
      'invalid-argument',
      `"name" is ${name === '' ? 'missing' : `"${printable(name)}"`}: want a letter or digit, then letters, digits, _ . -`,
    )
  }
  flagField(json, 'loadOnlyInlinedPlugins')
  const plugins = objectsField(json, 'plugins', cniLimits.pluginsPerList).map(parsePlugin)
  if (plugins.length === 0) throw new RuntimeError('invalid-argument', '"plugins" is missing or empty')
  return {
    file,
    name,
    versions: parseVersions(json),
    isCheckDisabled: flagField(json, 'disableCheck') ?? false,
    isGcDisabled: flagField(json, 'disableGC') ?? false,
    plugins,
  }
}

function parseVersions(json: JsonObject): readonly CniVersion[] {
  const single = textField(json, 'cniVersion') ?? ''
  const declared = [
    ...(single === '' ? [] : [single]),
    ...textsField(json, 'cniVersions', cniLimits.pluginsPerList),
  ]
  // The spec had no version field at first: a list without one speaks 0.1.0.
  const versions = knownVersions(declared.length === 0 ? ['0.1.0'] : declared)
  if (versions.length > 0) return versions
  throw new RuntimeError(
    'invalid-argument',
    `CNI version ${printable(declared.join(', '))} is unknown: want one of ${supportedVersions.join(', ')}`,
  )
}

function parsePlugin(json: JsonObject): PluginConf {
  const type = textField(json, 'type') ?? ''
  if (!isBinaryName(type)) {
    throw new RuntimeError(
      'invalid-argument',
      type === '' ? 'a plugin has no "type"' : `plugin type "${printable(type)}" is not a file name`,
    )
  }
  const capabilities = objectField(json, 'capabilities') ?? {}
  return {
    type,
    capabilities: Object.keys(capabilities).filter(name => flagField(capabilities, name) === true),
    ipamType: ipamTypeOf(json),
    json,
  }
}

/** What a plugin makes of its `ipam` is its own business; only a plain binary name is of use here. */
function ipamTypeOf(json: JsonObject): string | undefined {
  const ipam = json['ipam']
  const type = isJsonObject(ipam) ? ipam['type'] : undefined
  return typeof type === 'string' && isBinaryName(type) ? type : undefined
}

function isBinaryName(type: string): boolean {
  return type !== '' && type !== '.' && type !== '..' && !/[/\\]/.test(type)
}
