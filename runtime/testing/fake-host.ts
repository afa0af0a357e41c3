import type { Duplex } from 'node:stream'
import { type Ctx, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Program, ProgramResult } from '#base/programs'
import {
  type DiskUsage,
  type Host,
  namespaceFlags,
  type OpenFiles,
  type PortForward,
  type SandboxNamespaces,
} from '#shim/host'

export type HostOperation = Exclude<keyof Host, 'start' | 'stop'>

export interface FakeProcess {
  readonly name: string
  readonly cgroups: readonly string[]
}

/** A host that keeps its mounts and processes in memory, writes down what it was asked, and fails when told to. */
export interface FakeHost extends Host {
  /** What was asked, in order, as `operation object…`: `unmount /a /b`. */
  readonly calls: readonly string[]
  /** Mount points, in the order in which they were mounted. */
  readonly mounts: readonly string[]
  /** Pause processes and launched programs that are alive, by pid. */
  readonly processes: ReadonlyMap<number, FakeProcess>
  readonly locks: ReadonlySet<string>
  /** Each call of the operation fails with err, without any effect, until succeed() is called. */
  fail(operation: HostOperation, err: RuntimeError): void
  succeed(operation: HostOperation): void
  /** What readInRoot finds at `path` in `root`. */
  putFile(root: string, path: string, text: string): void
  /** What programs answer; the default is exit code 0 without output. */
  onRun: (program: Program) => Promise<ProgramResult>
  /** What listens in the pods; the default is nothing. */
  onForward: (forward: PortForward) => Duplex
  usage: DiskUsage
  /** Text of net/dev by pin. */
  readonly netDevicesOf: Map<string, string>
  readonly openFilesOf: Map<string, OpenFiles>
}

/** Signal that ends a process whatever it does. */
const sigkill = 9
const firstPid = 1000

const pins = [
  [namespaceFlags.network, 'net'],
  [namespaceFlags.ipc, 'ipc'],
  [namespaceFlags.uts, 'uts'],
  [namespaceFlags.pid, 'pid'],
  [namespaceFlags.user, 'user'],
] as const

interface FakeState {
  readonly calls: string[]
  readonly mounts: string[]
  readonly processes: Map<number, FakeProcess>
  readonly locks: Set<string>
  readonly files: Map<string, Buffer>
  readonly failures: Map<HostOperation, RuntimeError>
  /** Notes the call and throws if it is to fail; otherwise `act` has its effect. */
  ask<T>(ctx: Ctx | undefined, call: Asked, act: () => T | Promise<T>): Promise<T>
  addProcess(process: FakeProcess): number
}

interface Asked {
  readonly operation: HostOperation
  readonly objects: readonly (string | number)[]
}

export function createFakeHost(): FakeHost {
  const state = createState()
  const fake: FakeHost = {
    calls: state.calls,
    mounts: state.mounts,
    processes: state.processes,
    locks: state.locks,
    onRun: () => Promise.resolve({ exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }),
    onForward: ({ port }) => {
      throw new RuntimeError('failed-precondition', `nothing listens on port ${port} of localhost`)
    },
    usage: { bytes: 0, inodes: 0 },
    netDevicesOf: new Map(),
    openFilesOf: new Map(),
    fail: (operation, err) => void state.failures.set(operation, err),
    succeed: operation => void state.failures.delete(operation),
    putFile: (root, path, text) => void state.files.set(`${root}:${path}`, Buffer.from(text)),
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    lock: path =>
      state.ask(undefined, { operation: 'lock', objects: [path] }, () => void state.locks.add(path)),
    run: (ctx, program) =>
      state.ask(ctx, { operation: 'run', objects: program.argv }, () => fake.onRun(program)),
    diskUsage: (ctx, paths) => state.ask(ctx, { operation: 'diskUsage', objects: paths }, () => fake.usage),
    netDevices: (ctx, pins) =>
      state.ask(ctx, { operation: 'netDevices', objects: pins }, () =>
        pins.map(pin => fake.netDevicesOf.get(pin) ?? ''),
      ),
    openFiles: (ctx, cgroups) =>
      state.ask(ctx, { operation: 'openFiles', objects: cgroups }, () =>
        cgroups.map(cgroup => fake.openFilesOf.get(cgroup) ?? { processes: 0, files: 0, sockets: 0 }),
      ),
    forward: (ctx, forward) =>
      state.ask(ctx, { operation: 'forward', objects: [forward.networkPath ?? 'host', forward.port] }, () =>
        fake.onForward(forward),
      ),
    ...mountCalls(state),
    ...fileCalls(state),
    ...processCalls(state),
  }
  return fake
}

function createState(): FakeState {
  const calls: string[] = []
  const failures = new Map<HostOperation, RuntimeError>()
  const processes = new Map<number, FakeProcess>()
  let nextPid = firstPid
  return {
    calls,
    failures,
    processes,
    mounts: [],
    locks: new Set(),
    files: new Map(),
    async ask(ctx, { operation, objects }, act) {
      calls.push([operation, ...objects].join(' '))
      await Promise.resolve()
      if (ctx) throwIfAborted(ctx)
      const failure = failures.get(operation)
      if (failure) throw failure
      return act()
    },
    addProcess(process) {
      processes.set(nextPid, process)
      return nextPid++
    },
  }
}

function mountCalls(state: FakeState): Pick<Host, 'mountOverlay' | 'bind' | 'unmount' | 'createSandbox'> {
  const mount = (target: string) => void state.mounts.push(target)
  return {
    mountOverlay: (ctx, { target }) =>
      state.ask(ctx, { operation: 'mountOverlay', objects: [target] }, () => {
        mount(target)
      }),
    bind: (ctx, { source, target }) =>
      state.ask(ctx, { operation: 'bind', objects: [source, target] }, () => {
        mount(target)
      }),
    unmount: (ctx, paths) =>
      state.ask(ctx, { operation: 'unmount', objects: paths }, () => {
        const left = state.mounts.filter(target => !paths.includes(target))
        state.mounts.splice(0, state.mounts.length, ...left)
      }),
    createSandbox: (ctx, sandbox) =>
      state.ask(ctx, { operation: 'createSandbox', objects: [sandbox.directory] }, () =>
        makeSandbox(state, sandbox),
      ),
  }
}

function makeSandbox(state: FakeState, sandbox: SandboxNamespaces): number | undefined {
  for (const [flag, name] of pins) {
    if (!(sandbox.flags & flag)) continue
    const pin = `${sandbox.directory}/${name}`
    if (state.mounts.includes(pin)) throw new RuntimeError('already-exists', `cannot make ${pin}`)
    state.mounts.push(pin)
  }
  if (sandbox.shmBytes > 0) state.mounts.push(`${sandbox.directory}/shm`)
  if (!(sandbox.flags & namespaceFlags.pid)) return undefined
  if (sandbox.pauseProgram === undefined) {
    throw new RuntimeError('invalid-argument', 'the request has no pause program')
  }
  return state.addProcess({ name: 'lighter-pause', cgroups: sandbox.pauseCgroups })
}

function fileCalls(state: FakeState): Pick<Host, 'removeTree' | 'readInRoot' | 'copyFromRoot' | 'relabel'> {
  return {
    removeTree: (ctx, paths) =>
      state.ask(ctx, { operation: 'removeTree', objects: paths }, () => {
        const mounted = state.mounts.find(target => paths.some(path => isAtOrBelow(target, path)))
        if (mounted === undefined) return
        throw new RuntimeError('failed-precondition', `cannot remove ${mounted}: something is mounted on it`)
      }),
    copyFromRoot: (ctx, { root, source, target }) =>
      state.ask(ctx, { operation: 'copyFromRoot', objects: [root, source, target] }, () => undefined),
    relabel: (ctx, paths, label) =>
      state.ask(ctx, { operation: 'relabel', objects: [...paths, label] }, () => undefined),
    readInRoot: (ctx, ...[root, path, maxBytes]) =>
      state.ask(ctx, { operation: 'readInRoot', objects: [root, path] }, () => {
        const file = state.files.get(`${root}:${path}`)
        if (file && file.length > maxBytes) {
          throw new RuntimeError('resource-exhausted', `${path} in ${root} has more than ${maxBytes} bytes`)
        }
        return file
      }),
  }
}

function processCalls(
  state: FakeState,
): Pick<Host, 'launch' | 'killCgroup' | 'removeCgroup' | 'killProcess'> {
  const inCgroups = (cgroups: readonly string[]) =>
    [...state.processes].filter(([, found]) =>
      found.cgroups.some(cgroup => cgroups.some(parent => isAtOrBelow(cgroup, parent))),
    )
  return {
    launch: (ctx, { argv, socketPath }) =>
      state.ask(ctx, { operation: 'launch', objects: [...argv, socketPath] }, () =>
        state.addProcess({ name: argv[0]?.split('/').at(-1) ?? '', cgroups: [] }),
      ),
    killCgroup: (ctx, cgroups, signal) =>
      state.ask(ctx, { operation: 'killCgroup', objects: [...cgroups, signal] }, () => {
        const targets = inCgroups(cgroups)
        if (signal === sigkill) for (const [pid] of targets) state.processes.delete(pid)
        return targets.length
      }),
    removeCgroup: (ctx, cgroups) =>
      state.ask(ctx, { operation: 'removeCgroup', objects: cgroups }, () => {
        if (inCgroups(cgroups).length === 0) return
        throw new RuntimeError(
          'failed-precondition',
          `cannot remove cgroup ${cgroups.join(' ')}: it is in use`,
        )
      }),
    killProcess: (ctx, { pid, name, signal }) =>
      state.ask(ctx, { operation: 'killProcess', objects: [pid, name, signal] }, () => {
        if (state.processes.get(pid)?.name !== name) return false
        if (signal === sigkill) state.processes.delete(pid)
        return true
      }),
  }
}

function isAtOrBelow(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`)
}
