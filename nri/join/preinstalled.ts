import { mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { readFileIfExists, removePath, writeFileAtomic } from '#base/files'
import type { PluginHost } from '#engine/plugins/plugins'
import type { NriConfig } from '../config.ts'
import { fullName, type PluginName, parsePluginFile } from '../session/names.ts'
import type { PluginSession } from '../session/plugin-session.ts'
import type { PluginSocket } from '../session/register.ts'

const limits = { configBytes: 1024 * 1024, plugins: 64, pidFileBytes: 256 } as const
/** The kernel keeps this much of a program's name. */
const commLength = 15
/** A plugin whose connection has ended gets this long to go by itself. */
const graceMs = 500

export interface PreinstalledInput {
  readonly config: Pick<NriConfig, 'pluginDir' | 'configDir'>
  /** Sockets and pid files, at most 60 bytes long; belongs to this alone. */
  readonly directory: string
  readonly host: PluginHost
  readonly join: (socket: PluginSocket) => Promise<PluginSession>
}

interface Process {
  readonly pid: number
  readonly name: string
}

/** Plugins that were started here. */
export interface Preinstalled {
  /** Ends those whose connection has ended but who have not gone. */
  stop(ctx: Ctx): Promise<void>
}

/** Starts the plugins of the plugin directory, one after the other; one that fails is logged and left out. */
export async function startPreinstalled(ctx: Ctx, input: PreinstalledInput): Promise<Preinstalled> {
  await endLeftovers(ctx, input)
  await mkdir(input.directory, { recursive: true, mode: 0o700 })
  const processes: Process[] = []
  for (const [number, name] of (await discover(ctx, input.config.pluginDir)).entries()) {
    try {
      processes.push(await startOne(ctx, input, { name, number }))
    } catch (err) {
      ctx.log.error(
        { plugin: fullName(name), err: messageOf(err) },
        'pre-installed NRI plugin cannot be started',
      )
    }
  }
  return {
    async stop(stopCtx) {
      if (processes.length > 0) await new Promise(resolve => setTimeout(resolve, graceMs))
      for (const process of processes) await input.host.kill(stopCtx, process)
      await removePath(input.directory)
    },
  }
}

async function discover(ctx: Ctx, directory: string): Promise<readonly PluginName[]> {
  const names: PluginName[] = []
  for (const file of (await readDirectory(directory)).sort()) {
    const found = await stat(join(directory, file))
    if (!found.isFile() || (found.mode & 0o111) === 0) continue
    const name = parsePluginFile(file)
    if (name) names.push(name)
    else ctx.log.warn({ file, directory }, 'not an NRI plugin: its name is not like 10-name')
  }
  if (names.length > limits.plugins) {
    throw new RuntimeError('resource-exhausted', `${directory} has more than ${limits.plugins} plugins`)
  }
  return names
}

async function readDirectory(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw new RuntimeError('failed-precondition', `cannot read ${directory}: ${messageOf(err)}`, {
      cause: err,
    })
  }
}

async function startOne(
  ctx: Ctx,
  { config, directory, host, join: joinIt }: PreinstalledInput,
  { name, number }: { readonly name: PluginName; readonly number: number },
): Promise<Process> {
  const socketPath = join(directory, `${number}.sock`)
  const file = fullName(name)
  const pluginConfig = await readConfig(config.configDir, name)
  const pid = await host.launch(ctx, {
    path: join(config.pluginDir, file),
    env: [`NRI_PLUGIN_NAME=${name.base}`, `NRI_PLUGIN_IDX=${name.index}`, 'NRI_PLUGIN_SOCKET=3'],
    socketPath,
  })
  const process = { pid, name: file.slice(0, commLength) }
  try {
    const text = JSON.stringify(process)
    await writeFileAtomic(join(directory, `${number}.pid`), text, {
      mode: 0o600,
      durability: 'process death',
    })
    const socket = await connectTo(socketPath)
    await unlink(socketPath)
    await joinIt({ socket, preinstalled: { name, config: pluginConfig } })
    return process
  } catch (err) {
    await host.kill(ctx, process)
    throw err
  }
}

async function readConfig(directory: string, name: PluginName): Promise<string> {
  for (const file of [`${fullName(name)}.conf`, `${name.base}.conf`]) {
    const data = await readFileIfExists(join(directory, file), limits.configBytes)
    if (data) return data.toString()
  }
  return ''
}

function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** A daemon that was killed left its plugins to end by themselves; some do not. */
async function endLeftovers(ctx: Ctx, { directory, host }: PreinstalledInput): Promise<void> {
  for (const file of await readDirectory(directory)) {
    if (!file.endsWith('.pid')) continue
    const data = await readFileIfExists(join(directory, file), limits.pidFileBytes)
    const left = parseProcess(data?.toString() ?? '')
    if (left && (await host.kill(ctx, left))) ctx.log.warn(left, 'an NRI plugin of a former daemon was ended')
  }
  await removePath(directory)
}

function parseProcess(text: string): (Process & Record<string, unknown>) | undefined {
  try {
    const { pid, name } = JSON.parse(text) as { readonly pid?: unknown; readonly name?: unknown }
    return typeof pid === 'number' && pid > 1 && typeof name === 'string' ? { pid, name } : undefined
  } catch {
    return undefined
  }
}
