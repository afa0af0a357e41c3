import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RuntimeError } from '#base/errors'
import { fileError, pathExists, readFileIfExists } from '#base/files'
import type { Log } from '#base/log'
import type { RegistriesConfig } from '../../engine-config.ts'
import { imageLimits } from '../limits.ts'
import { type HostEntry, parseHostsFile } from './hosts-toml.ts'

/** One address that a registry's images can be had from. */
export interface Endpoint {
  /** Root of the API without a slash at the end: `https://registry-1.docker.io/v2`. */
  readonly url: URL
  /** False for mirrors: the credentials of a pull are for the registry that the image is named after. */
  readonly isRegistryItself: boolean
  readonly canPull: boolean
  readonly canResolve: boolean
  readonly headers: readonly (readonly [string, string])[]
  readonly tls: TlsSettings
  readonly connectTimeoutMs: number
  /** Sent to mirrors as `?ns=`, so that one mirror can serve several registries. */
  readonly namespace: string | undefined
}

export interface TlsSettings {
  /** PEM; added to the system's own authorities. */
  readonly ca: readonly Buffer[]
  readonly clients: readonly { readonly certificate: Buffer; readonly key: Buffer }[]
  readonly skipsVerify: boolean
}

const defaultEntry: HostEntry = {
  url: undefined,
  canPull: true,
  canResolve: true,
  skipsVerify: false,
  caFiles: [],
  clientFiles: [],
  headers: [],
  connectTimeoutMs: imageLimits.connectTimeoutMs,
}

/**
 * Where to ask for images of `domain`, in order. Read anew for every pull, so that changed files count at once.
 * Errors: `failed-precondition` for a broken hosts.toml or certificate file.
 */
export async function findEndpoints(
  config: RegistriesConfig,
  domain: string,
  log: Log,
): Promise<readonly Endpoint[]> {
  const directory = await findHostDirectory(config.certsDir, domain)
  const entries = directory === undefined ? [defaultEntry] : await readHostDirectory(directory.path, log)
  const endpoints: Endpoint[] = []
  for (const [index, entry] of entries.entries()) {
    const isServer = index === entries.length - 1
    const url = entry.url ?? registryUrl(domain, config)
    const isOwnAddress = url.host === registryUrl(domain, config).host
    endpoints.push({
      url,
      // A `server` that the operator set for this very registry is the registry.
      isRegistryItself: isOwnAddress || (isServer && directory?.isDefault === false),
      canPull: entry.canPull,
      canResolve: entry.canResolve,
      headers: entry.headers,
      tls: await readTls(entry),
      connectTimeoutMs: entry.connectTimeoutMs,
      namespace: isOwnAddress ? undefined : domain,
    })
  }
  return endpoints
}

/** Loopback, and what the operator listed, may be spoken to without TLS. */
export function mayBePlain(url: URL, config: Pick<RegistriesConfig, 'insecureHosts'>): boolean {
  const name = url.hostname.toLowerCase()
  if (name === 'localhost' || name === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(name)) return true
  return config.insecureHosts.some(host => host.toLowerCase() === url.host || host.toLowerCase() === name)
}

function registryUrl(domain: string, config: RegistriesConfig): URL {
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain
  const plain = new URL(`http://${host}/v2`)
  return mayBePlain(plain, config) ? plain : new URL(`https://${host}/v2`)
}

/** `HOST_PORT_` comes before `HOST:PORT`, `_default` is for everything that has no directory. */
async function findHostDirectory(
  certsDir: string,
  domain: string,
): Promise<{ readonly path: string; readonly isDefault: boolean } | undefined> {
  const names = [domain.replace(/:([0-9]+)$/, '_$1_'), domain, '_default']
  for (const name of names) {
    const path = join(certsDir, name)
    if (await pathExists(path)) return { path, isDefault: name === '_default' }
  }
  return undefined
}

async function readHostDirectory(directory: string, log: Log): Promise<readonly HostEntry[]> {
  const path = join(directory, 'hosts.toml')
  const bytes = await readFileIfExists(path, imageLimits.hostsFileBytes)
  if (!bytes || bytes.byteLength === 0) return [{ ...defaultEntry, ...(await findCertificates(directory)) }]
  const file = parseHostsFile(bytes.toString('utf8'), { path, directory })
  if (file.unknownKeys.length > 0) log.warn({ path, keys: file.unknownKeys }, 'unknown keys in hosts.toml')
  return file.entries
}

/** Docker's layout: NAME.crt are authorities, NAME.cert with NAME.key are ours. */
async function findCertificates(directory: string): Promise<Pick<HostEntry, 'caFiles' | 'clientFiles'>> {
  const names = await readdir(directory).catch((err: unknown) => {
    throw fileError(`cannot read ${directory}`, err)
  })
  const clients = names.filter(name => name.endsWith('.cert'))
  return {
    caFiles: names.filter(name => name.endsWith('.crt')).map(name => join(directory, name)),
    clientFiles: clients.map(name => {
      const key = name.replace(/\.cert$/, '.key')
      return { certificate: join(directory, name), key: names.includes(key) ? join(directory, key) : '' }
    }),
  }
}

async function readTls(entry: HostEntry): Promise<TlsSettings> {
  const ca: Buffer[] = []
  for (const path of entry.caFiles) ca.push(await readCertificate(path))
  const clients: { certificate: Buffer; key: Buffer }[] = []
  for (const { certificate, key } of entry.clientFiles) {
    const bytes = await readCertificate(certificate)
    clients.push({ certificate: bytes, key: key === '' ? bytes : await readCertificate(key) })
  }
  return { ca, clients, skipsVerify: entry.skipsVerify }
}

async function readCertificate(path: string): Promise<Buffer> {
  const bytes = await readFileIfExists(path, imageLimits.certificateBytes)
  if (bytes) return bytes
  throw new RuntimeError('failed-precondition', `certificate file ${path} does not exist`)
}
