import { abortError, type Ctx, throwIfAborted } from '#base/context'
import { type ErrorKind, RuntimeError } from '#base/errors'
import { createLimiter } from '#base/locks'
import type { Log } from '#base/log'
import { type Program, type ProgramResult, programLimits } from '#base/programs'
import type { DetachedProgram, Host, OpenFiles, SandboxNamespaces } from './host.ts'
import { errnoName, hostError } from './host-errors.ts'
import { forward } from './host-forward.ts'
import { idMappingFields, mountCalls } from './host-mounts.ts'
import type { HostCall } from './host-session.ts'
import { createHostSupervisor, type HostSupervisor } from './host-supervisor.ts'
import {
  type FieldValue,
  type Frame,
  fieldData,
  fieldNumber,
  fieldTexts,
  frameTypes,
  tags,
} from './protocol.ts'

/** How long the host may take to answer, and how much it is asked at once. */
export const hostLimits = {
  requestTimeoutMs: 60_000,
  /** Removing or measuring a big tree. */
  treeTimeoutMs: 600_000,
  /** How much later than its own time-out a program may be answered: it is killed and reaped meanwhile. */
  runSlackMs: 15_000,
  /** Fewer than the host takes (JOBS_MAX in job.h); others wait. */
  concurrentCalls: 96,
  /** Connections being made into pods, beside the other calls: those do not wait for them. */
  concurrentForwards: 24,
} as const

export interface HostDeps {
  /** Path of lighter-host. */
  readonly programPath: string
  readonly log: Log
}

/** Flag of RUN (shim/PROTOCOL.md). */
const runMayFinish = 1

type Fields = (readonly [tag: number, value: FieldValue])[]

interface Request extends Omit<HostCall, 'timeoutMs'> {
  readonly timeoutMs?: number
  /** Kinds that differ from those of all requests, by errno. */
  readonly kinds?: Readonly<Record<string, ErrorKind>>
}

/** Answers OK frames; throws for ERROR frames, unless `isFine` names their errno: then undefined. */
export type Ask = (ctx: Ctx, request: Request, isFine?: string) => Promise<Frame | undefined>

/** The daemon's end of lighter-host. start() before anything else. */
export function createHost(deps: HostDeps): Host {
  const supervisor = createHostSupervisor(deps)
  const ask = createAsk(supervisor, hostLimits.concurrentCalls)
  const askForward = createAsk(supervisor, hostLimits.concurrentForwards)
  return {
    start: () => supervisor.start(),
    stop: () => supervisor.stop(),
    lock: (path, waitMs) => supervisor.lock(path, waitMs),
    run: (ctx, program) => run(ask, ctx, program),
    launch: (ctx, program) => launch(ask, ctx, program),
    createSandbox: (ctx, sandbox) => createSandbox(ask, ctx, sandbox),
    ...mountCalls(ask),
    ...fileCalls(ask),
    ...processCalls(ask),
    ...figureCalls(ask),
    forward: (ctx, input) => forward(askForward, ctx, input),
  }
}

function createAsk(supervisor: HostSupervisor, concurrentCalls: number): Ask {
  const limiter = createLimiter(concurrentCalls)
  return async (ctx, request, isFine) =>
    limiter.run(async () => {
      throwIfAborted(ctx)
      const session = await supervisor.session(ctx)
      const frame = await session.call({ timeoutMs: hostLimits.requestTimeoutMs, ...request })
      if (frame.type === frameTypes.ok) return frame
      if (isFine !== undefined && errnoName(frame) === isFine) return undefined
      throw hostError(frame, request.kinds)
    })
}

function list(tag: number, values: readonly string[]): Fields {
  return values.map(value => [tag, value])
}

async function run(ask: Ask, ctx: Ctx, program: Program): Promise<ProgramResult> {
  const fields: Fields = [
    ...list(tags.argument, program.argv),
    ...list(tags.environment, program.env),
    [tags.timeoutMs, program.timeoutMs],
    [tags.outputLimit, programLimits.outputBytes],
  ]
  if (program.cwd !== undefined) fields.push([tags.directory, program.cwd])
  if (program.mayFinish) fields.push([tags.flags, runMayFinish])
  if (program.stdin !== undefined) fields.push([tags.input, Buffer.from(program.stdin)])
  const frame = await ask(
    ctx,
    {
      type: frameTypes.run,
      fields,
      what: program.argv[0] ?? '',
      timeoutMs: program.timeoutMs + hostLimits.runSlackMs,
      cancelSignal: ctx.signal,
      kinds: { EINVAL: 'invalid-argument' },
    },
    'ECANCELED',
  )
  if (!frame) throw abortError(ctx.signal)
  return {
    exitCode: fieldNumber(frame, tags.exitCode, 0),
    stdout: fieldData(frame, tags.stdout) ?? Buffer.alloc(0),
    stderr: fieldData(frame, tags.stderr) ?? Buffer.alloc(0),
  }
}

async function launch(ask: Ask, ctx: Ctx, program: DetachedProgram): Promise<number> {
  const frame = await ask(ctx, {
    type: frameTypes.launch,
    fields: [
      ...list(tags.argument, program.argv),
      ...list(tags.environment, program.env),
      [tags.path, program.socketPath],
      [tags.stderr, program.stderrPath],
    ],
    what: `the launch of ${program.argv[0] ?? ''}`,
  })
  return requirePid(frame)
}

async function createSandbox(ask: Ask, ctx: Ctx, sandbox: SandboxNamespaces): Promise<number | undefined> {
  const fields: Fields = [
    [tags.directory, sandbox.directory],
    [tags.flags, sandbox.flags],
    [tags.bytes, sandbox.shmBytes],
    ...list(tags.sysctl, sandbox.sysctls),
    ...list(tags.cgroup, sandbox.pauseCgroups),
    ...idMappingFields(sandbox.idMappings),
  ]
  if (sandbox.hostname !== undefined) fields.push([tags.hostname, sandbox.hostname])
  if (sandbox.pauseProgram !== undefined) fields.push([tags.program, sandbox.pauseProgram])
  const frame = await ask(ctx, {
    type: frameTypes.sandbox,
    fields,
    what: `making the namespaces of ${sandbox.directory}`,
    kinds: { EINVAL: 'invalid-argument' },
  })
  const pid = frame ? fieldNumber(frame, tags.pid, 0) : 0
  return pid > 0 ? pid : undefined
}

function requirePid(frame: Frame | undefined): number {
  const pid = frame ? fieldNumber(frame, tags.pid, 0) : 0
  if (pid <= 0) throw new RuntimeError('internal', 'lighter-host answered without a pid')
  return pid
}

function fileCalls(
  ask: Ask,
): Pick<Host, 'removeTree' | 'readInRoot' | 'copyFromRoot' | 'relabel' | 'diskUsage'> {
  return {
    async removeTree(ctx, paths) {
      if (paths.length === 0) return
      await ask(ctx, {
        type: frameTypes.removeTree,
        fields: list(tags.path, paths),
        what: `removing ${paths.join(', ')}`,
        timeoutMs: hostLimits.treeTimeoutMs,
      })
    },
    readInRoot: (ctx, ...file) => readInRoot(ask, ctx, file),
    async copyFromRoot(ctx, { root, source, target }) {
      await ask(ctx, {
        type: frameTypes.copyTree,
        fields: [
          [tags.directory, root],
          [tags.source, source],
          [tags.path, target],
        ],
        what: `copying ${source} of ${root}`,
        timeoutMs: hostLimits.treeTimeoutMs,
      })
    },
    async relabel(ctx, paths, label) {
      await ask(ctx, {
        type: frameTypes.relabel,
        fields: [...list(tags.path, paths), [tags.options, label]],
        what: `labelling ${paths.join(', ')}`,
        timeoutMs: hostLimits.treeTimeoutMs,
      })
    },
    async diskUsage(ctx, paths) {
      const frame = await ask(ctx, {
        type: frameTypes.diskUsage,
        fields: list(tags.path, paths),
        what: `measuring ${paths.join(', ')}`,
        timeoutMs: hostLimits.treeTimeoutMs,
      })
      if (!frame) throw new RuntimeError('internal', 'lighter-host answered without a measure')
      return { bytes: fieldNumber(frame, tags.bytes, 0), inodes: fieldNumber(frame, tags.inodes, 0) }
    },
  }
}

async function readInRoot(
  ask: Ask,
  ctx: Ctx,
  [root, path, maxBytes]: readonly [root: string, path: string, maxBytes: number],
): Promise<Buffer | undefined> {
  const request = {
    type: frameTypes.readInRoot,
    fields: [
      [tags.directory, root],
      [tags.path, path],
      [tags.outputLimit, maxBytes],
    ],
    what: `reading ${path} in ${root}`,
  } as const
  const frame = await ask(ctx, request, 'ENOENT')
  return frame && (fieldData(frame, tags.data) ?? Buffer.alloc(0))
}

function processCalls(ask: Ask): Pick<Host, 'killCgroup' | 'removeCgroup' | 'killProcess'> {
  return {
    async killCgroup(ctx, cgroups, signal) {
      const frame = await ask(ctx, {
        type: frameTypes.killCgroup,
        fields: [...list(tags.cgroup, cgroups), [tags.signal, signal]],
        what: `signalling the cgroups ${cgroups.join(', ')}`,
      })
      return frame ? fieldNumber(frame, tags.exitCode, 0) : 0
    },
    async removeCgroup(ctx, cgroups) {
      if (cgroups.length === 0) return
      await ask(ctx, {
        type: frameTypes.removeCgroup,
        fields: list(tags.cgroup, cgroups),
        what: `removing the cgroups ${cgroups.join(', ')}`,
      })
    },
    async killProcess(ctx, target) {
      const request = {
        type: frameTypes.killProcess,
        fields: [
          [tags.pid, target.pid],
          [tags.name, target.name],
          [tags.signal, target.signal],
        ],
        what: `signalling process ${target.pid}`,
      } as const
      return (await ask(ctx, request, 'ESRCH')) !== undefined
    },
  }
}

function figureCalls(ask: Ask): Pick<Host, 'netDevices' | 'openFiles'> {
  return {
    async netDevices(ctx, pins) {
      if (pins.length === 0) return []
      const frame = await ask(ctx, {
        type: frameTypes.netDevices,
        fields: list(tags.path, pins),
        what: `the network devices of ${pins.length} pods`,
      })
      return dataOfEach(frame, pins)
    },
    async openFiles(ctx, cgroups, isCountOnly) {
      if (cgroups.length === 0) return []
      const frame = await ask(ctx, {
        type: frameTypes.openFiles,
        fields: [...list(tags.cgroup, cgroups), [tags.flags, isCountOnly ? 1 : 0]],
        what: `counting open files in ${cgroups.length} cgroups`,
      })
      return dataOfEach(frame, cgroups).map(parseOpenFiles)
    },
  }
}

/** One text for each object of the request, in its order. */
function dataOfEach(frame: Frame | undefined, objects: readonly string[]): readonly string[] {
  const texts = frame ? fieldTexts(frame, tags.data) : []
  if (texts.length === objects.length) return texts
  throw new RuntimeError('internal', `lighter-host answered ${texts.length} of ${objects.length} objects`)
}

function parseOpenFiles(line: string): OpenFiles {
  const [processes = 0, files = 0, sockets = 0] = line.split(' ').map(Number)
  return { processes, files, sockets }
}
