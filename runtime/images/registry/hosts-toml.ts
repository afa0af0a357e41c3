import { isAbsolute, join } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { messageOf, RuntimeError } from '#base/errors'
import { imageLimits } from '../limits.ts'

/** One `[host."URL"]` table of a hosts.toml, or its top level (the server). Paths are absolute. */
export interface HostEntry {
  /** undefined: the registry's own address. The path is the API's root, `/v2` unless it was overridden. */
  readonly url: URL | undefined
  readonly canPull: boolean
  readonly canResolve: boolean
  readonly skipsVerify: boolean
  readonly caFiles: readonly string[]
  /** key "": in the same file as the certificate. */
  readonly clientFiles: readonly { readonly certificate: string; readonly key: string }[]
  readonly headers: readonly (readonly [string, string])[]
  readonly connectTimeoutMs: number
}

export interface HostsFile {
  /** To be tried in this order; the server is the last. */
  readonly entries: readonly HostEntry[]
  /** Keys that mean nothing here, for the log. */
  readonly unknownKeys: readonly string[]
}

type Table = Readonly<Record<string, unknown>>

const knownKeys = ['capabilities', 'ca', 'client', 'skip_verify', 'header', 'override_path', 'dial_timeout']
const capabilities = ['pull', 'resolve', 'push', 'referrers']
const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Reads containerd's hosts.toml. Errors: `failed-precondition` naming file and key. */
export function parseHostsFile(
  text: string,
  file: { readonly path: string; readonly directory: string },
): HostsFile {
  const fail = (problem: string) => new RuntimeError('failed-precondition', `${file.path}: ${problem}`)
  const read = createEntryReader(file.directory, fail)
  const document = parseToml(text, fail)
  const unknownKeys: string[] = []
  const noteUnknown = (table: Table, prefix: string, known: readonly string[]) => {
    for (const key of Object.keys(table)) if (!known.includes(key)) unknownKeys.push(`${prefix}${key}`)
  }
  noteUnknown(document, '', [...knownKeys, 'server', 'host'])
  const hosts = isTable(document.host) ? Object.entries(document.host) : []
  if (document.host !== undefined && !isTable(document.host)) throw fail('"host" is not a table')
  if (hosts.length >= imageLimits.endpoints) throw fail(`more than ${String(imageLimits.endpoints)} hosts`)
  const entries = hosts.map(([name, table]) => {
    if (!isTable(table)) throw fail(`host "${name}" is not a table`)
    noteUnknown(table, `host."${name}".`, knownKeys)
    return read(name, table)
  })
  const server = document.server ?? ''
  if (typeof server !== 'string') throw fail('"server" is not a text')
  return { entries: [...entries, read(server, document)], unknownKeys }
}

function parseToml(text: string, fail: (problem: string) => RuntimeError): Table {
  try {
    return parse(text)
  } catch (err) {
    const line = err instanceof TomlError ? `line ${String(err.line)}: ` : ''
    throw fail(`${line}${messageOf(err).split('\n')[0] ?? ''}`)
  }
}

function createEntryReader(
  directory: string,
  fail: (problem: string) => RuntimeError,
): (name: string, table: Table) => HostEntry {
  const absolute = (path: string) => (isAbsolute(path) ? path : join(directory, path))
  return (name, table) => {
    const granted = texts(table.capabilities, 'capabilities', fail).map(word => word.toLowerCase())
    const odd = granted.find(word => !capabilities.includes(word))
    if (odd !== undefined) throw fail(`unknown capability "${odd}"`)
    const overridesPath = flag(table.override_path, 'override_path', fail)
    const can = (word: string) => granted.length === 0 || granted.includes(word)
    return {
      url: name === '' ? undefined : apiRoot(name, overridesPath, fail),
      canPull: can('pull'),
      canResolve: can('resolve'),
      skipsVerify: flag(table.skip_verify, 'skip_verify', fail),
      caFiles: texts(table.ca, 'ca', fail).map(absolute),
      clientFiles: clientFiles(table.client, fail).map(({ certificate, key }) => ({
        certificate: absolute(certificate),
        key: key === '' ? '' : absolute(key),
      })),
      headers: headers(table.header, fail),
      connectTimeoutMs: duration(table.dial_timeout, fail) ?? imageLimits.connectTimeoutMs,
    }
  }
}

/** Without override_path, `/v2` is added to a path that does not end in it. */
function apiRoot(name: string, overridesPath: boolean, fail: (problem: string) => RuntimeError): URL {
  let url: URL
  try {
    url = new URL(/^https?:\/\//.test(name) ? name : `https://${name}`)
  } catch {
    throw fail(`"${name}" is not an address`)
  }
  const path = url.pathname.replace(/\/+$/, '')
  url.pathname = overridesPath || path.endsWith('/v2') ? path : `${path}/v2`
  url.search = ''
  url.hash = ''
  if (url.username !== '' || url.password !== '') throw fail('an address must not hold credentials')
  return url
}

function texts(value: unknown, key: string, fail: (problem: string) => RuntimeError): readonly string[] {
  if (value === undefined) return []
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.map(item => {
    if (typeof item !== 'string') throw fail(`"${key}" is not a text or a list of texts`)
    return item
  })
}

function flag(value: unknown, key: string, fail: (problem: string) => RuntimeError): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw fail(`"${key}" is not true or false`)
}

function clientFiles(
  value: unknown,
  fail: (problem: string) => RuntimeError,
): readonly { certificate: string; key: string }[] {
  if (value === undefined) return []
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.map(item => {
    const [certificate, key, ...more] = texts(item, 'client', fail)
    if (certificate === undefined || more.length > 0) throw fail('"client" wants a file or a pair of files')
    return { certificate, key: key ?? '' }
  })
}

function headers(
  value: unknown,
  fail: (problem: string) => RuntimeError,
): readonly (readonly [string, string])[] {
  if (value === undefined) return []
  if (!isTable(value)) throw fail('"header" is not a table')
  return Object.entries(value).map(([name, content]) => {
    const text = texts(content, `header.${name}`, fail).join(', ')
    if (!headerName.test(name)) throw fail(`"${name}" is not the name of a header`)
    if (/[^\t\x20-\x7e\x80-\xff]/.test(text))
      throw fail(`header "${name}" has characters that no header may have`)
    return [name.toLowerCase(), text]
  })
}

function duration(value: unknown, fail: (problem: string) => RuntimeError): number | undefined {
  if (value === undefined || value === '') return undefined
  const match = typeof value === 'string' ? /^([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)$/.exec(value) : null
  if (!match) throw fail('"dial_timeout" is not a duration like "5s"')
  return Math.ceil(Number(match[1]) * (durationUnits[match[2] ?? ''] ?? 0))
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
