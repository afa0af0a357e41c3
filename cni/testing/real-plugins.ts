import { spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { renderDefaultConfList } from '../default-conf-list.ts'
import { type Cleanup, command, succeeds, testDirectory } from './test-network.ts'

/** Where Debian's containernetworking-plugins are. */
export const pluginDirectory = '/usr/lib/cni'

/** A bridge network with names and addresses that no other test has. */
export interface RealNetwork {
  readonly directory: string
  readonly leaseDir: string
  readonly bridge: string
}

/** Writes the default conf list into `directory`/conf; after the test nothing of the network is left. */
export async function realNetwork(t: Cleanup): Promise<RealNetwork> {
  const directory = await testDirectory(t)
  const bridge = `lt${randomBytes(5).toString('hex')}`
  const subnet = `10.${randomInt(100, 250)}.${randomInt(0, 250)}.0/24`
  const leaseDir = join(directory, 'leases')
  await mkdir(join(directory, 'conf'))
  await writeFile(
    join(directory, 'conf', '10-lighter.conflist'),
    renderDefaultConfList({ bridge, subnet, leaseDir }),
  )
  t.after(async () => {
    if (await succeeds('ip', 'link', 'show', bridge)) await command('ip', 'link', 'del', bridge)
    await removeMasquerade(subnet)
  })
  return { directory, leaseDir, bridge }
}

/** Rules and chains that bridge leaves behind when the namespace is gone before DEL. */
async function removeMasquerade(subnet: string): Promise<void> {
  const prefix = subnet.slice(0, subnet.lastIndexOf('.') + 1)
  const chains = (await natRules(` -d ${prefix}`)).flatMap(rule => /^-A (CNI-\S+)/.exec(rule)?.slice(1) ?? [])
  const address = new RegExp(`^-A POSTROUTING -s (${prefix}\\d+/32) .* -j (CNI-\\S+)$`)
  for (const rule of await natRules(` -s ${prefix}`)) {
    const [, source, chain] = address.exec(rule) ?? []
    if (source === undefined || chain === undefined) continue
    const comment = /--comment "(.*)" -j/.exec(rule)?.[1]?.replaceAll('\\"', '"') ?? ''
    const match = ['-s', source, '-m', 'comment', '--comment', comment, '-j', chain]
    await command('iptables', '-w', '-t', 'nat', '-D', 'POSTROUTING', ...match)
  }
  for (const chain of new Set(chains)) {
    await command('iptables', '-w', '-t', 'nat', '-F', chain)
    await command('iptables', '-w', '-t', 'nat', '-X', chain)
  }
}

/** A network namespace with lo up; answers its path. */
export async function testNetns(t: Cleanup): Promise<string> {
  const name = `lt-${randomBytes(5).toString('hex')}`
  await command('ip', 'netns', 'add', name)
  t.after(async () => {
    await succeeds('ip', 'netns', 'del', name)
  })
  await command('ip', '-n', name, 'link', 'set', 'lo', 'up')
  return `/run/netns/${name}`
}

/** A program in the namespace that answers every connection to the port with a text. */
export async function serve(
  t: Cleanup,
  at: { readonly netnsPath: string; readonly port: number },
): Promise<string> {
  const text = randomBytes(8).toString('hex')
  const script =
    `require('node:net').createServer(c => c.end('${text}'))` +
    `.listen(${at.port}, () => process.stdout.write('listening'))`
  const server = spawn('ip', ['netns', 'exec', basename(at.netnsPath), process.execPath, '-e', script])
  t.after(async () => {
    const gone = once(server, 'close')
    server.kill('SIGKILL')
    await gone
  })
  await once(server.stdout, 'data')
  return text
}

/** What a server answers to a connection from the namespace, or from the host. */
export async function connect(to: {
  readonly host: string
  readonly port: number
  readonly netnsPath?: string
}): Promise<string> {
  const script =
    `require('node:net').connect({host: '${to.host}', port: ${to.port}, timeout: 10000}, function () {})` +
    `.on('timeout', function () { this.destroy(new Error('no answer')) }).pipe(process.stdout)`
  const node = [process.execPath, '-e', script] as const
  if (to.netnsPath === undefined) return await command(...node)
  return await command('ip', 'netns', 'exec', basename(to.netnsPath), ...node)
}

/** Addresses that host-local has given out. */
export async function leases(network: RealNetwork): Promise<readonly string[]> {
  const names = await readdir(join(network.leaseDir, 'lighter')).catch(() => [])
  return names.filter(name => /^10\./.test(name))
}

/** Interfaces that hang on the bridge. */
export async function ports(network: RealNetwork): Promise<readonly string[]> {
  const shown = await command('ip', '-o', 'link', 'show', 'master', network.bridge)
  return shown.split('\n').filter(line => line !== '')
}

/** Rules of the nat table that name the container or the address. */
export async function natRules(text: string): Promise<readonly string[]> {
  const rules = await command('iptables', '-w', '-t', 'nat', '-S')
  return rules.split('\n').filter(line => line.includes(text))
}
