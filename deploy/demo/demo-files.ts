import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errnoOf } from '#base/errors'
import { fileError, makeDirectory, writeFileAtomic } from '#base/files'
import { renderDefaultConfList } from '#cni/default-conf-list'

const nodeConfDir = '/etc/cni/net.d'
const bridge = 'lighter0'
const subnet = '10.188.0.0/24'

export interface DemoNetwork {
  /** undefined: the node has a network of its own, the daemon shall use that. */
  readonly confDir: string | undefined
  /** Removes what no plugin removes. */
  remove(): Promise<void>
}

/** Makes a small network below `demoDir` if the node has no CNI conf list. */
export async function prepareNetwork(demoDir: string): Promise<DemoNetwork> {
  if (await hasConfList(nodeConfDir)) return { confDir: undefined, remove: () => Promise.resolve() }
  const confDir = join(demoDir, 'net.d')
  await makeDirectory(confDir)
  const text = renderDefaultConfList({ bridge, subnet, leaseDir: join(demoDir, 'leases') })
  await writeFileAtomic(join(confDir, '10-lighter.conflist'), text, { durability: 'process death' })
  return { confDir, remove: removeBridge }
}

/** Tells the daemon that `mirror` (an address on loopback) has the images of `host` too. */
export async function writeMirror(
  certsDir: string,
  { host, mirror }: { readonly host: string; readonly mirror: string },
): Promise<void> {
  const directory = join(certsDir, host)
  await makeDirectory(directory)
  const text = `server = "https://${host}"

[host."http://${mirror}"]
  capabilities = ["pull", "resolve"]
`
  await writeFileAtomic(join(directory, 'hosts.toml'), text, { durability: 'process death' })
}

async function hasConfList(directory: string): Promise<boolean> {
  try {
    const names = await readdir(directory)
    return names.some(name => /\.(?:conflist|conf|json)$/.test(name))
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return false
    throw fileError(`cannot read ${directory}`, err)
  }
}

/** The bridge plugin makes the bridge with the first pod and leaves it. */
async function removeBridge(): Promise<void> {
  const path = `/sys/class/net/${bridge}`
  const isThere = await readdir(path).then(
    () => true,
    () => false,
  )
  if (isThere) await promisify(execFile)('/sbin/ip', ['link', 'delete', bridge])
}
