import { join } from 'node:path'
import { listDirectory, readLinkText, readText, walk } from './files.ts'
import { runProgram } from './program.ts'
import { cgroupDirs, type Scratch } from './scratch.ts'

/** What a daemon's work leaves in the kernel and on the disk, one line for each thing. */
export type Traces = Readonly<Record<TraceKind, readonly string[]>>

export const traceKinds = [
  'mount',
  'interface',
  'cgroup',
  'address lease',
  'firewall rule',
  'process',
  'file',
  'image layer',
] as const
export type TraceKind = (typeof traceKinds)[number]

/** In CI nobody else works on this machine: then also what carries no name of a world is somebody's leftover. */
const isAlone = process.env['CI'] === 'true'

/** Looks at everything on this machine that belongs to one world. */
export async function collectTraces(scratch: Scratch): Promise<Traces> {
  const [mounts, interfaces, cgroups, leases, rules, processes, files, layers] = await Promise.all([
    mountTraces(scratch),
    interfaceTraces(scratch),
    cgroupTraces(scratch),
    leaseTraces(scratch),
    firewallTraces(scratch),
    processTraces(scratch),
    fileTraces(scratch),
    layerTraces(scratch),
  ])
  return {
    mount: mounts,
    interface: interfaces,
    cgroup: cgroups,
    'address lease': leases,
    'firewall rule': rules,
    process: processes,
    file: files,
    'image layer': layers,
  }
}

/** Mount points below the world's directories, pinned namespaces (nsfs) among them, and overlays of its layers. */
async function mountTraces(scratch: Scratch): Promise<readonly string[]> {
  const mountinfo = await readText('/proc/self/mountinfo')
  return mountinfo
    .split('\n')
    .filter(line => line.includes(`${scratch.dir}/`))
    .map(line => {
      const [fields = '', rest = ''] = line.split(' - ')
      return `${rest.split(' ')[0] ?? ''} on ${fields.split(' ')[4] ?? ''}`
    })
    .sort()
}

/** The host's ends of the pods' interfaces. The bridge itself stays, as its plugin wants it. */
async function interfaceTraces(scratch: Scratch): Promise<readonly string[]> {
  const names = await listDirectory('/sys/class/net')
  const masters = await Promise.all(names.map(name => readLinkText(`/sys/class/net/${name}/master`)))
  return names.filter(
    (name, index) =>
      masters[index]?.endsWith(`/${scratch.bridge}`) === true ||
      (isAlone && masters[index] === '' && name.startsWith('veth')),
  )
}

async function cgroupTraces(scratch: Scratch): Promise<readonly string[]> {
  const dirs = await cgroupDirs(scratch.cgroupParent)
  const below = await Promise.all(
    dirs.map(async dir => {
      const paths = await walk(dir, 3)
      return paths.filter(path => path.endsWith('/')).map(path => join(dir, path))
    }),
  )
  return below.flat()
}

/** host-local writes one file for each address. */
async function leaseTraces(scratch: Scratch): Promise<readonly string[]> {
  const names = await listDirectory(join(scratch.ipamDir, scratch.networkName))
  return names.filter(name => /^[0-9.]+$|:/.test(name))
}

/** Declaration of a chain that a CNI plugin made for one container. */
const containerChain = /^:CNI-(DN-)?[0-9a-f]{6,} /

/** Rules whose comment names the world's network (portmap, bridge with ipMasq), for IPv4 and IPv6. */
async function firewallTraces(scratch: Scratch): Promise<readonly string[]> {
  const dumps = await Promise.all([runProgram(['iptables-save']), runProgram(['ip6tables-save'])])
  return dumps
    .flatMap(dump => dump.stdout.split('\n'))
    .filter(
      line =>
        line.includes(scratch.networkName) ||
        line.includes(`${scratch.subnet}.`) ||
        (isAlone && containerChain.test(line)),
    )
    .map(line => line.replace(/ \[\d+:\d+\]$/, '')) // packet counters
    .sort()
}

/**
 * Processes that carry a path of the world in their command line or environment (shims, runc, plugins), live in
 * its cgroups (containers, pause), or hang below its daemon. In CI also those in other user namespaces. The daemon and its lighter-host are expected.
 */
async function processTraces(scratch: Scratch): Promise<readonly string[]> {
  const pids = (await listDirectory('/proc')).filter(
    name => /^\d+$/.test(name) && name !== String(process.pid),
  )
  const lines = await Promise.all(pids.map(pid => processTrace(scratch, pid)))
  return lines.filter(line => line !== undefined).sort()
}

async function processTrace(scratch: Scratch, pid: string): Promise<string | undefined> {
  const [comm, cmdline, environ, cgroup, stat] = await Promise.all(
    ['comm', 'cmdline', 'environ', 'cgroup', 'stat'].map(file => readText(`/proc/${pid}/${file}`)),
  )
  const command = (cmdline ?? '').replaceAll('\0', ' ').trim()
  const isOurs =
    command.includes(`${scratch.dir}/`) ||
    (environ ?? '').includes(`${scratch.dir}/`) ||
    (cgroup ?? '').includes(scratch.cgroupParent) ||
    (isAlone && (await isInOtherUserNamespace(pid)))
  if (!isOurs || isExpected(command) || isLeftToInit(stat ?? '')) return undefined
  return `${(comm ?? '').trim()} (pid ${pid}): ${command.slice(0, 200)}`
}

/** Such as one that makes the namespaces of a pod: it has no name of its own. */
async function isInOtherUserNamespace(pid: string): Promise<boolean> {
  const [its, ours] = await Promise.all([pid, 'self'].map(one => readLinkText(`/proc/${one}/ns/user`)))
  return its !== '' && its !== ours
}

/** Dead, and only the init of the machine has still to take note. */
function isLeftToInit(stat: string): boolean {
  const [state, parent] = stat.replace(/^.*\) /s, '').split(' ')
  return state === 'Z' && parent === '1'
}

/** lighterd itself, and clients that a test runs. */
function isExpected(command: string): boolean {
  return /lighterd/.test(command) || /(^|\/)crictl /.test(command)
}

/** Records, sockets and files of the daemon; not what is in image layers and contents. */
async function fileTraces(scratch: Scratch): Promise<readonly string[]> {
  const [root, state] = await Promise.all([walk(scratch.rootDir, 2), walk(scratch.stateDir, 3)])
  const own = root.filter(path => !imageDirs.some(dir => path.startsWith(dir)))
  return [...own.map(path => join('root', path)), ...state.map(path => join('state', path))]
}

const imageDirs = ['snapshots/', 'content/', 'images/']

/** Layer directories, blobs and half-done downloads by number, since their names change. */
async function layerTraces(scratch: Scratch): Promise<readonly string[]> {
  const counted = await Promise.all(
    imageDirs.map(async dir => {
      const paths = await walk(join(scratch.rootDir, dir), dir === 'content/' ? 3 : 1)
      return paths.map((_, index) => `${dir} entry ${String(index + 1)}`)
    }),
  )
  return counted.flat()
}
