import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readText } from './files.ts'
import { runProgram } from './program.ts'

/** Everything of one test world that has a place or a name, unique on this machine. */
export interface Scratch {
  /** Short, because socket paths below it must fit into 107 bytes. */
  readonly dir: string
  readonly rootDir: string
  readonly stateDir: string
  readonly socketPath: string
  readonly cniConfDir: string
  readonly ipamDir: string
  readonly certsDir: string
  readonly logDir: string
  /** Name of the CNI conf list, and of its bridge (at most 15 bytes). */
  readonly networkName: string
  readonly bridge: string
  /** Network prefix of three numbers: `10.231.17`. */
  readonly subnet: string
  /** cgroup parent of all pods of this world, in every hierarchy. */
  readonly cgroupParent: string
}

/** Makes the directories, the conf list and the cgroups of a new world; `suffix` is of its cgroup parent's name. */
export async function createScratch(suffix: '' | '.slice' = ''): Promise<Scratch> {
  const token = randomBytes(3).toString('hex')
  const dir = `/tmp/lt-${token}`
  const scratch: Scratch = {
    dir,
    rootDir: join(dir, 'root'),
    stateDir: join(dir, 'state'),
    socketPath: join(dir, 'lighter.sock'),
    cniConfDir: join(dir, 'net.d'),
    ipamDir: join(dir, 'ipam'),
    certsDir: join(dir, 'certs.d'),
    logDir: join(dir, 'pod-logs'),
    networkName: `lt-${token}`,
    bridge: `lt${token}`,
    subnet: await freeSubnet(),
    cgroupParent: suffix === '' ? `/lt-${token}` : `/lt${token}${suffix}`,
  }
  for (const path of [scratch.cniConfDir, scratch.ipamDir, scratch.certsDir, scratch.logDir]) {
    await mkdir(path, { recursive: true })
  }
  await writeConfList(scratch)
  for (const path of await cgroupDirs(scratch.cgroupParent)) await mkdir(path, { recursive: true })
  return scratch
}

/** The conf list that a node would have: bridge, host-local, portmap; `plugins` go behind these. */
export async function writeConfList(scratch: Scratch, plugins: readonly object[] = []): Promise<void> {
  const list = {
    cniVersion: '1.0.0',
    name: scratch.networkName,
    plugins: [
      {
        type: 'bridge',
        bridge: scratch.bridge,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: scratch.ipamDir,
          ranges: [[{ subnet: `${scratch.subnet}.0/24` }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      ...plugins,
    ],
  }
  await writeFile(join(scratch.cniConfDir, '10-e2e.conflist'), JSON.stringify(list, null, 2))
}

/** Takes away what is left of the world when its daemon is gone. */
export async function removeScratch(scratch: Scratch): Promise<void> {
  const mountinfo = await readText('/proc/self/mountinfo')
  const mounts = mountinfo
    .split('\n')
    .map(line => line.split(' ')[4] ?? '')
    .filter(path => path.startsWith(`${scratch.dir}/`))
  for (const path of mounts.reverse()) await runProgram(['umount', '-l', path])
  await runProgram(['ip', 'link', 'delete', scratch.bridge])
  for (const path of await cgroupDirs(scratch.cgroupParent)) {
    await runProgram(['find', path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
  }
  await rm(scratch.dir, { recursive: true, force: true })
}

/** The directory of a cgroup in every hierarchy of this machine: v1, hybrid and v2. */
export async function cgroupDirs(cgroup: string): Promise<readonly string[]> {
  const mountinfo = await readText('/proc/self/mountinfo')
  return mountinfo
    .split('\n')
    .filter(line => / - cgroup2? /.test(line))
    .map(line => join(line.split(' ')[4] ?? '', cgroup))
}

async function freeSubnet(): Promise<string> {
  const routes = await readText('/proc/net/route')
  for (;;) {
    const [a = 0, b = 0] = randomBytes(2)
    const subnet = `10.${String(200 + (a % 50))}.${String(b)}`
    const hex = [0, b, 200 + (a % 50), 10].map(n => n.toString(16).padStart(2, '0').toUpperCase()).join('')
    if (!routes.includes(hex)) return subnet
  }
}
