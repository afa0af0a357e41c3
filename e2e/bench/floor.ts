import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { busyboxPath } from '../../deploy/demo/busybox-image.ts'
import { readText } from '../harness/files.ts'
import { cniBinDirs } from '../harness/paths.ts'
import { mustRun, runProgram } from '../harness/program.ts'
import { reboot } from '../harness/reboot.ts'
import { createScratch, removeScratch, type Scratch } from '../harness/scratch.ts'
import { timed } from './bench.ts'

/** What a pod costs with nothing around the programs that no runtime can do without: runc and CNI plugins. */
export interface Floor {
  /** Starts one pod and takes it down; milliseconds of each step. */
  life(): Promise<Readonly<Record<FloorStep, number>>>
  /** Milliseconds of `true` in the container of another pod. */
  exec(): Promise<number>
  close(): Promise<void>
}

export type FloorStep = 'network' | 'create' | 'start' | 'kill' | 'delete' | 'network gone'

export const floorName = 'floor'
export const floorNote =
  'floor: ip netns, bridge with host-local, runc create and start, called one after the other'

const endPollMs = 1
const endTimeoutMs = 10_000

export async function openFloor(): Promise<Floor> {
  const scratch = await createScratch()
  const close = async (): Promise<void> => {
    await reboot.all(scratch)
    await removeScratch(scratch)
  }
  try {
    const bundle = await makeBundle(scratch)
    return {
      life: () => live(scratch, bundle, () => Promise.resolve()),
      async exec() {
        let ms = 0
        await live(scratch, bundle, async exec => {
          ms = (await timed(exec))[1]
        })
        return ms
      },
      close,
    }
  } catch (err) {
    await close()
    throw err
  }
}

/**
 * `inside` may run `true` in the container. Who reaps that is the init of this machine, and the end of the container
 * waits for it: only a life without it is timed as a whole.
 */
async function live(
  scratch: Scratch,
  bundle: string,
  inside: (exec: () => Promise<string>) => Promise<void>,
): Promise<Readonly<Record<FloorStep, number>>> {
  const id = `lt-floor-${randomBytes(4).toString('hex')}`
  const netns = `/run/netns/${id}`
  const runc = (...args: readonly string[]) =>
    mustRun(['runc', '--root', join(scratch.stateDir, 'runc'), ...args])
  await writeSpec(bundle, { netns, cgroupsPath: `${scratch.cgroupParent}/${id}` })
  try {
    const [, network] = await timed(async () => {
      await mustRun(['ip', 'netns', 'add', id])
      await attach(scratch, { id, netns })
    })
    const pidFile = join(scratch.dir, 'pid')
    // The output of a container is its runtime's: it must not be a pipe that somebody waits for.
    const create = '"$0" --root "$1" create --bundle "$2" --pid-file "$3" "$4" </dev/null >/dev/null 2>&1'
    const argv = ['sh', '-c', create, 'runc', join(scratch.stateDir, 'runc'), bundle, pidFile, id]
    const [, createMs] = await timed(() => mustRun(argv))
    const pid = Number(await readFile(pidFile, 'utf8'))
    const [, start] = await timed(() => runc('start', id))
    await inside(() => runc('exec', '--detach', id, '/bin/true'))
    const [, kill] = await timed(async () => {
      await runc('kill', id, 'KILL')
      await ended(pid)
    })
    const [, deleted] = await timed(() => runc('delete', id))
    const [, gone] = await timed(async () => {
      await detach(scratch, { id, netns })
      await mustRun(['ip', 'netns', 'delete', id])
    })
    return { network, create: createMs, start, kill, delete: deleted, 'network gone': gone }
  } catch (err) {
    await runProgram(['runc', '--root', join(scratch.stateDir, 'runc'), 'delete', '--force', id])
    await runProgram(['ip', 'netns', 'delete', id])
    throw err
  }
}

interface Attachment {
  readonly id: string
  readonly netns: string
}

/** The first plugin of the list: portmap has nothing to do for a pod without ports. */
async function attach(scratch: Scratch, attachment: Attachment): Promise<void> {
  const answer = await runPlugin({ command: 'ADD', plugin: await firstPlugin(scratch), attachment })
  await writeFile(join(scratch.dir, `${attachment.id}.result`), answer)
}

async function detach(scratch: Scratch, attachment: Attachment): Promise<void> {
  const path = join(scratch.dir, `${attachment.id}.result`)
  const prevResult = JSON.parse(await readFile(path, 'utf8')) as unknown
  await runPlugin({ command: 'DEL', plugin: { ...(await firstPlugin(scratch)), prevResult }, attachment })
}

interface Plugin {
  readonly type: string
  readonly prevResult?: unknown
}

interface PluginRun {
  readonly command: 'ADD' | 'DEL'
  readonly plugin: Plugin
  readonly attachment: Attachment
}

async function firstPlugin(scratch: Scratch): Promise<Plugin> {
  const text = await readFile(join(scratch.cniConfDir, '10-e2e.conflist'), 'utf8')
  const { name, cniVersion, plugins } = JSON.parse(text) as {
    name: string
    cniVersion: string
    plugins: Plugin[]
  }
  const [plugin] = plugins
  if (!plugin) throw new Error(`${scratch.cniConfDir} names no plugin`)
  return { ...plugin, ...{ name, cniVersion } }
}

function runPlugin({ command, plugin, attachment }: PluginRun): Promise<string> {
  const path = cniBinDirs.join(':')
  return mustRun(['sh', '-c', 'PATH="$CNI_PATH:$PATH" exec "$0"', plugin.type], {
    env: {
      ...{ CNI_COMMAND: command, CNI_CONTAINERID: attachment.id, CNI_NETNS: attachment.netns },
      ...{ CNI_IFNAME: 'eth0', CNI_PATH: path },
    },
    input: JSON.stringify(plugin),
  })
}

async function ended(pid: number): Promise<void> {
  const end = Date.now() + endTimeoutMs
  while (!/^$|\) Z /.test(await readText(`/proc/${pid}/stat`))) {
    if (Date.now() > end) throw new Error(`process ${pid} does not end after SIGKILL`)
    await delay(endPollMs)
  }
}

async function makeBundle(scratch: Scratch): Promise<string> {
  const bundle = join(scratch.dir, 'bundle')
  const bin = join(bundle, 'rootfs', 'bin')
  await mkdir(bin, { recursive: true })
  await copyFile(busyboxPath, join(bin, 'busybox'))
  for (const applet of ['sleep', 'true']) await symlink('busybox', join(bin, applet))
  await mustRun(['runc', 'spec', '--bundle', bundle])
  return bundle
}

interface Spec {
  process: { terminal: boolean; args: string[]; rlimits?: unknown }
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] }
}

async function writeSpec(
  bundle: string,
  { netns, cgroupsPath }: { readonly netns: string; readonly cgroupsPath: string },
): Promise<void> {
  const path = join(bundle, 'config.json')
  const spec = JSON.parse(await readFile(path, 'utf8')) as Spec
  spec.process.terminal = false
  spec.process.args = ['/bin/sleep', '1000000']
  delete spec.process.rlimits
  spec.linux.cgroupsPath = cgroupsPath
  spec.linux.namespaces = spec.linux.namespaces.map(one =>
    one.type === 'network' ? { type: 'network', path: netns } : one,
  )
  await writeFile(path, JSON.stringify(spec))
}
