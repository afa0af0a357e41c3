import { isIP } from 'node:net'
import { RuntimeError } from '#base/errors'
import {
  countField,
  type JsonObject,
  objectField,
  objectsField,
  printable,
  textField,
  textsField,
} from './json.ts'
import { cniLimits } from './limits.ts'
import { type CniVersion, isAtLeast } from './version.ts'

/** What ADD answered (CNI spec, section 5), whatever the version it came in; every text is bounded. */
export interface AddResult {
  readonly interfaces: readonly ResultInterface[]
  readonly ips: readonly ResultIp[]
  readonly routes: readonly ResultRoute[]
  readonly dns: ResultDns
}

export interface ResultInterface {
  readonly name: string
  readonly mac?: string
  readonly mtu?: number
  /** Namespace that holds it; absent: on the host. */
  readonly sandbox?: string
  readonly socketPath?: string
  readonly pciID?: string
}

export interface ResultIp {
  /** With prefix length. */
  readonly address: string
  readonly gateway?: string
  /** Index into interfaces; absent if the plugin gave none, or one that does not exist. */
  readonly interface?: number
}

export interface ResultRoute {
  /** With prefix length. */
  readonly dst: string
  readonly gw?: string
  readonly mtu?: number
  readonly advmss?: number
  readonly priority?: number
  readonly table?: number
  readonly scope?: number
}

export interface ResultDns {
  readonly nameservers: readonly string[]
  readonly domain: string
  readonly search: readonly string[]
  readonly options: readonly string[]
}

/** Reads a result of any version, told apart by its shape. Errors: `invalid-argument`, naming the field. */
export function parseResult(json: JsonObject): AddResult {
  const isLegacy = 'ip4' in json || 'ip6' in json
  return isLegacy ? parseLegacy(json) : parseCurrent(json)
}

/** The result as JSON of a version, for prevResult and for the cache. */
export function renderResult(result: AddResult, version: CniVersion): JsonObject {
  if (!isAtLeast(version, '0.3.0')) return renderLegacy(result, version)
  const ips = isAtLeast(version, '1.0.0')
    ? result.ips
    : result.ips.map(ip => ({ version: String(familyOf(ip.address)), ...ip }))
  return { cniVersion: version, interfaces: result.interfaces, ips, routes: result.routes, dns: result.dns }
}

/** Addresses of the attachment without prefix length, in the plugin's order; those of host interfaces left out. */
export function attachmentIps(result: AddResult): readonly string[] {
  return result.ips
    .filter(ip => ip.interface === undefined || result.interfaces[ip.interface]?.sandbox !== undefined)
    .map(ip => addressOf(ip.address))
}

function parseCurrent(json: JsonObject): AddResult {
  const interfaces = objectsField(json, 'interfaces', cniLimits.interfaces).map(parseInterface)
  return {
    interfaces,
    ips: objectsField(json, 'ips', cniLimits.ips).map(ip => parseIp(ip, interfaces.length)),
    routes: objectsField(json, 'routes', cniLimits.routes).map(parseRoute),
    dns: parseDns(json),
  }
}

function parseInterface(json: JsonObject): ResultInterface {
  return present({
    name: textField(json, 'name') ?? '',
    mac: filledField(json, 'mac'),
    mtu: countField(json, 'mtu'),
    sandbox: filledField(json, 'sandbox'),
    socketPath: filledField(json, 'socketPath'),
    pciID: filledField(json, 'pciID'),
  })
}

function parseIp(json: JsonObject, interfaces: number): ResultIp {
  const index = countField(json, 'interface')
  return present({
    address: requiredCidr(json, 'address'),
    gateway: optionalIp(json, 'gateway'),
    interface: index !== undefined && index < interfaces ? index : undefined,
  })
}

function parseRoute(json: JsonObject): ResultRoute {
  return present({
    dst: requiredCidr(json, 'dst'),
    gw: optionalIp(json, 'gw'),
    mtu: countField(json, 'mtu'),
    advmss: countField(json, 'advmss'),
    priority: countField(json, 'priority'),
    table: countField(json, 'table'),
    scope: countField(json, 'scope'),
  })
}

function parseDns(json: JsonObject): ResultDns {
  const dns = objectField(json, 'dns') ?? {}
  return {
    nameservers: textsField(dns, 'nameservers', cniLimits.dnsEntries),
    domain: textField(dns, 'domain') ?? '',
    search: textsField(dns, 'search', cniLimits.dnsEntries),
    options: textsField(dns, 'options', cniLimits.dnsEntries),
  }
}

/** Versions 0.1.0 and 0.2.0: one address per family, routes inside. */
function parseLegacy(json: JsonObject): AddResult {
  const families = [objectField(json, 'ip4'), objectField(json, 'ip6')].filter(family => family !== undefined)
  return {
    interfaces: [],
    ips: families.map(family =>
      present({ address: requiredCidr(family, 'ip'), gateway: optionalIp(family, 'gateway') }),
    ),
    routes: families.flatMap(family => objectsField(family, 'routes', cniLimits.routes).map(parseRoute)),
    dns: parseDns(json),
  }
}

function renderLegacy(result: AddResult, version: CniVersion): JsonObject {
  const family = (number: 4 | 6) => {
    const ip = result.ips.find(({ address }) => familyOf(address) === number)
    if (!ip) return {}
    const routes = result.routes.filter(({ dst }) => familyOf(dst) === number)
    return { [`ip${number}`]: present({ ip: ip.address, gateway: ip.gateway, routes }) }
  }
  return { cniVersion: version, ...family(4), ...family(6), dns: result.dns }
}

function requiredCidr(json: JsonObject, key: string): string {
  const text = textField(json, key) ?? ''
  const [address = '', prefix = '', ...rest] = text.split('/')
  const bits = isIP(address) === 4 ? 32 : 128
  if (isIP(address) !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits && rest.length === 0)
    return text
  throw new RuntimeError(
    'invalid-argument',
    `"${key}" is "${printable(text)}", not an address with a prefix length`,
  )
}

/** Plugins write "" for what they do not have. */
function filledField(json: JsonObject, key: string): string | undefined {
  const text = textField(json, key)
  return text === '' ? undefined : text
}

function optionalIp(json: JsonObject, key: string): string | undefined {
  const text = filledField(json, key)
  if (text === undefined || isIP(text) !== 0) return text
  throw new RuntimeError('invalid-argument', `"${key}" is "${printable(text)}", not an IP address`)
}

function addressOf(cidr: string): string {
  return cidr.slice(0, cidr.indexOf('/'))
}

function familyOf(cidr: string): number {
  return isIP(addressOf(cidr))
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

function present<T extends object>(fields: T): Present<T> {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as Present<T>
}
