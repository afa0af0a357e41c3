import { RuntimeError } from '#base/errors'
import { readFileIfExists } from '#base/files'
import type { DnsConfig } from '../model/pod.ts'

const limits = { bytes: 1024 * 1024 } as const

const resolvConfPaths = {
  host: '/etc/resolv.conf',
  /** What systemd-resolved itself asks; its stub at 127.0.0.53 does not answer inside of a pod. */
  systemd: '/run/systemd/resolve/resolv.conf',
} as const

const stubServers = new Set(['127.0.0.53', '127.0.0.54'])

/** Content of a pod's resolv.conf: what the client asked for, else the host's. Errors: `invalid-argument`. */
export async function resolvConf(
  dns: DnsConfig | undefined,
  paths: { readonly host: string; readonly systemd: string } = resolvConfPaths,
): Promise<string> {
  if (dns) return renderResolvConf(dns)
  const host = (await readFileIfExists(paths.host, limits.bytes))?.toString() ?? ''
  if (!isStub(host)) return host
  return (await readFileIfExists(paths.systemd, limits.bytes))?.toString() ?? host
}

export function renderResolvConf(dns: DnsConfig): string {
  const wrong = [...dns.servers, ...dns.searches, ...dns.options].find(word => !/^[^\s\0]+$/.test(word))
  if (wrong !== undefined) {
    throw new RuntimeError('invalid-argument', `dns_config: ${JSON.stringify(wrong)} is not one word`)
  }
  const lines = dns.servers.map(server => `nameserver ${server}`)
  if (dns.searches.length > 0) lines.unshift(`search ${dns.searches.join(' ')}`)
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(' ')}`)
  return lines.map(line => `${line}\n`).join('')
}

function isStub(text: string): boolean {
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(match => match[1] ?? '')
  return servers.length > 0 && servers.every(server => stubServers.has(server))
}
