import { setMaxListeners } from 'node:events'
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Ctx } from '#base/context'
import { createIds } from '#base/ids'
import { silentLog } from '#base/log'
import type { AttachSession, ExecSession, ExecSpec, ShimSpec, Shims, ShimWatch } from '../shim.ts'
import { createShims } from '../shims.ts'
import { command, nativeProgram, startHost, waitUntil } from './host-fixture.ts'

const runtimePath = '/usr/sbin/runc'
const applets = ['sh', 'cat', 'sleep', 'head', 'seq', 'yes', 'stty', 'setsid', 'kill', 'ls', 'dd', 'tr']
const environment = ['PATH=/bin']
const killSignal = 9

export interface ContainerOptions {
  /** Run by busybox sh, unless args say what else. */
  readonly script?: string
  readonly args?: readonly string[]
  readonly hasTty?: boolean
  readonly hasStdin?: boolean
  readonly isStdinOnce?: boolean
  readonly hasLog?: boolean
  readonly memoryBytes?: number
  readonly runtimePath?: string
  readonly logPath?: string
  readonly exitPath?: string
  /** In the PID namespace of the host. */
  readonly hasHostPid?: boolean
}

/** One container with the real shim and the real runc; killed and gone when the test ends. */
export interface TestContainer {
  readonly spec: ShimSpec
  readonly logPath: string
  /** From before the start, so that no state is missed. */
  readonly watch: ShimWatch
  /** Settles when it runs; fails with the reason if it does not. */
  started(): Promise<number>
  /** Lines of the log so far. */
  log(): Promise<readonly LogLine[]>
  exec(script: string, options?: Partial<ExecSpec>): Promise<ExecSession>
  /** Pid of the shim while it lives. */
  shimPid(): Promise<number | undefined>
}

export interface LogLine {
  readonly time: string
  readonly stream: string
  readonly tag: string
  readonly content: string
}

export interface ShimFixture {
  readonly shims: Shims
  readonly ctx: Ctx
  readonly directory: string
  readonly launch: (options: ContainerOptions) => Promise<TestContainer>
}

/** A root file system made of busybox, and shims with lighter-host to launch them. */
export async function startShims(t: TestContext): Promise<ShimFixture> {
  const ctx: Ctx = { signal: new AbortController().signal, log: silentLog }
  setMaxListeners(0, ctx.signal) // many calls at once share it
  const endAll: (() => Promise<void>)[] = []
  t.after(async () => {
    for (const end of endAll) await end()
  })
  const { host, directory } = await startHost(t)
  const shims = createShims({ host, programPath: nativeProgram('lighter-shim'), log: silentLog })
  const rootPath = join(directory, 'rootfs')
  await makeRootFileSystem(rootPath)
  return {
    shims,
    ctx,
    directory,
    async launch(options) {
      const container = await launch({ shims, ctx, directory, rootPath }, options)
      endAll.push(() => end({ shims, ctx }, container))
      return container
    },
  }
}

async function makeRootFileSystem(path: string): Promise<void> {
  for (const name of ['bin', 'proc', 'dev', 'tmp']) await mkdir(join(path, name), { recursive: true })
  await copyFile('/bin/busybox', join(path, 'bin/busybox'))
  for (const applet of applets) await symlink('busybox', join(path, 'bin', applet))
}

interface Place {
  readonly shims: Shims
  readonly ctx: Ctx
  readonly directory: string
  readonly rootPath: string
}

async function launch(place: Place, options: ContainerOptions): Promise<TestContainer> {
  const { shims, ctx, directory } = place
  const id = createIds().containerId()
  const bundlePath = join(directory, id)
  await mkdir(bundlePath)
  const config = ociConfig(place.rootPath, id, options)
  await writeFile(join(bundlePath, 'config.json'), JSON.stringify(config))
  const logPath = options.logPath ?? join(directory, `${id}.log`)
  const spec: ShimSpec = {
    id,
    bundlePath,
    runtimePath: options.runtimePath ?? runtimePath,
    runtimeRoot: join(directory, 'runc'),
    socketPath: join(directory, `${id.slice(0, 12)}.sock`),
    exitPath: options.exitPath ?? join(bundlePath, 'exit'),
    pidPath: join(bundlePath, 'pid'),
    logPath: options.hasLog === false ? undefined : logPath,
    oomPath: `/sys/fs/cgroup/memory/lighter-test-${id}/memory.oom_control`,
    ioOwner: undefined,
    hasTty: options.hasTty ?? false,
    hasStdin: options.hasStdin ?? false,
    isStdinOnce: options.isStdinOnce ?? false,
    hasSystemdCgroup: false,
  }
  await shims.launch(ctx, spec)
  const watch = await shims.watch(ctx, spec.socketPath)
  let execs = 0
  return {
    spec,
    logPath,
    watch,
    async started() {
      const state = await watch.started
      if (state.kind !== 'running') throw new Error(`container did not start: ${JSON.stringify(state)}`)
      return state.pid
    },
    log: () => readLog(logPath),
    async exec(script, given = {}) {
      const execId = `test-${execs++}`
      const processPath = join(bundlePath, `${execId}.json`)
      const process = ociProcess(['/bin/sh', '-c', script], given.hasTty ?? false)
      await writeFile(processPath, JSON.stringify(process))
      const flags = { hasTty: false, hasStdin: false, isKilledOnClose: true, startTimeoutMs: 30_000 }
      return shims.exec(ctx, spec.socketPath, { execId, processPath, ...flags, ...given })
    },
    shimPid: async () => (await pidsWith(id, 'lighter-shim'))[0],
  }
}

function ociProcess(args: readonly string[], hasTty: boolean): object {
  return { terminal: hasTty, user: { uid: 0, gid: 0 }, args, env: environment, cwd: '/' }
}

function ociConfig(rootPath: string, id: string, options: ContainerOptions): object {
  const args = options.args ?? ['/bin/sh', '-c', options.script ?? 'sleep 1000']
  const memory = options.memoryBytes === undefined ? {} : { limit: options.memoryBytes }
  const namespaces = ['mount', 'ipc', 'uts', 'network', ...(options.hasHostPid === true ? [] : ['pid'])]
  return {
    ociVersion: '1.0.2',
    process: ociProcess(args, options.hasTty ?? false),
    root: { path: rootPath, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      { destination: '/tmp', type: 'tmpfs', source: 'tmpfs' },
    ],
    linux: {
      namespaces: namespaces.map(type => ({ type })),
      cgroupsPath: `/lighter-test-${id}`,
      resources: { memory },
    },
  }
}

async function readLog(path: string): Promise<readonly LogLine[]> {
  const text = await readFile(path, 'utf8')
  if (text !== '' && !text.endsWith('\n')) throw new Error(`log ends inside a line: ${text.slice(-80)}`)
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => {
      const [, time = '', stream = '', tag = '', content = ''] =
        /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr) ([PF]) (.*)$/s.exec(line) ?? []
      if (time === '') throw new Error(`not a line of a CRI log: "${line}"`)
      return { time, stream, tag, content }
    })
}

/** Reads until the text has come, and no further: the session stays usable. */
export async function readUntil(session: AttachSession, wanted: string): Promise<string> {
  let text = ''
  const chunks = session.output[Symbol.asyncIterator]()
  while (!text.includes(wanted)) {
    const next = await chunks.next()
    if (next.done === true) throw new Error(`output ended with "${text}"`)
    text += next.value.data.toString()
  }
  return text
}

/** Pids of the processes that have both words in their command line. */
export async function pidsWith(word: string, other: string): Promise<number[]> {
  const pids: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (line.includes(word) && line.includes(other)) pids.push(Number(name))
  }
  return pids
}

/** Kills what runs and waits until nothing of it is left, whatever the test did. */
async function end({ shims, ctx }: Pick<Place, 'shims' | 'ctx'>, container: TestContainer): Promise<void> {
  const { spec } = container
  await shims.kill(ctx, spec.socketPath, killSignal).catch(() => false) // a test may have ended the shim itself
  const watch = await shims.watch(ctx, spec.socketPath).catch(() => undefined)
  container.watch.close()
  const left = (): Promise<number[]> => pidsWith(spec.id, '')
  try {
    await waitUntil(`the end of container ${spec.id}`, async () => (await left()).length === 0)
  } finally {
    watch?.close()
    for (const pid of await left()) process.kill(pid, killSignal)
    await command(runtimePath, ['--root', spec.runtimeRoot, 'delete', '--force', spec.id])
  }
}
