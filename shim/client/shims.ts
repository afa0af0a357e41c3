import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { isKind, RuntimeError, withContext } from '#base/errors'
import type { Log } from '#base/log'
import type { Host } from './host.ts'
import { type Frame, fieldNumber, frameTypes, type OutgoingFrame, tags } from './protocol.ts'
import type { ExecSession, ExecSpec, ShimSpec, Shims } from './shim.ts'
import { ask, connect, errorOf, open, saysGone } from './shim-requests.ts'
import { createSession } from './shim-session.ts'
import { followShim } from './shim-watch.ts'

/** What the OCI runtime and its hooks find in their environment. */
const shimPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const stdinFlag = 2
const execFlags = { tty: 1, stdin: stdinFlag, killOnClose: 4 } as const

export interface ShimsDeps {
  readonly host: Pick<Host, 'launch'>
  /** Path of lighter-shim. */
  readonly programPath: string
  readonly log: Log
}

export function createShims(deps: ShimsDeps): Shims {
  return {
    async launch(ctx, spec) {
      const pid = await deps.host.launch(ctx, {
        argv: [deps.programPath, ...shimArguments(spec)],
        env: [`PATH=${spec.restore ? `${spec.restore.criuDirectory}:` : ''}${shimPath}`],
        socketPath: spec.socketPath,
        stderrPath: join(spec.bundlePath, 'shim.log'),
      })
      deps.log.debug({ containerId: spec.id, shimPid: pid }, 'shim started')
    },
    async watch(ctx, socketPath) {
      return followShim(await connect(ctx, socketPath, request(frameTypes.watch)), socketPath)
    },
    kill: (ctx, socketPath, signal) => kill(ctx, socketPath, signal),
    exec: (ctx, socketPath, spec) => exec(ctx, socketPath, spec),
    async attach(ctx, socketPath, { hasStdin }) {
      const fields = [[tags.flags, hasStdin ? stdinFlag : 0]] as const
      const attach = request(frameTypes.attach, fields)
      return createSession(await connect(ctx, socketPath, attach), `attach at ${socketPath}`)
    },
    async reopenLog(ctx, socketPath) {
      expectOk(await ask(ctx, socketPath, request(frameTypes.reopenLog)))
    },
    async resize(ctx, socketPath, { rows, columns }) {
      const fields = [
        [tags.rows, rows],
        [tags.columns, columns],
      ] as const
      expectOk(await ask(ctx, socketPath, request(frameTypes.resize, fields)))
    },
  }
}

function shimArguments(spec: ShimSpec): string[] {
  return [
    ...['--id', spec.id],
    ...['--bundle', spec.bundlePath],
    ...['--runtime', spec.runtimePath],
    ...['--runtime-root', spec.runtimeRoot],
    ...['--exit-file', spec.exitPath],
    ...['--pid-file', spec.pidPath],
    ...(spec.logPath === undefined ? [] : ['--log-path', spec.logPath]),
    ...(spec.oomPath === undefined ? [] : ['--oom-file', spec.oomPath]),
    ...(spec.ioOwner ? ['--io-owner', `${spec.ioOwner.uid}:${spec.ioOwner.gid}`] : []),
    ...(spec.restore ? ['--restore', spec.restore.imagesPath] : []),
    ...(spec.hasTty ? ['--tty'] : []),
    ...(spec.hasStdin ? ['--stdin'] : []),
    ...(spec.isStdinOnce ? ['--stdin-once'] : []),
    ...(spec.hasSystemdCgroup ? ['--systemd-cgroup'] : []),
  ]
}

/** A connection carries one request, so that its id tells nothing. */
function request(type: number, fields: OutgoingFrame['fields'] = []): OutgoingFrame {
  return { id: 1, type, fields }
}

function expectOk(answer: Frame): void {
  if (answer.type === frameTypes.error) throw errorOf(answer, 'internal')
  if (answer.type !== frameTypes.ok) {
    throw new RuntimeError('data-loss', `a shim answered with a frame of type ${answer.type}`)
  }
}

/** A shim ends only after its container: where none listens any more, init is gone. */
async function kill(ctx: Ctx, socketPath: string, signal: number): Promise<boolean> {
  const frame = request(frameTypes.kill, [[tags.signal, signal]])
  try {
    const answer = await askTwice(ctx, socketPath, frame)
    if (saysGone(answer)) return false
    expectOk(answer)
    return true
  } catch (err) {
    if (isKind(err, 'not-found')) return false
    throw withContext(`cannot send signal ${signal}`, err)
  }
}

/** A shim that was just about to exit may have taken the first connection with it. */
async function askTwice(ctx: Ctx, socketPath: string, frame: OutgoingFrame): Promise<Frame> {
  try {
    return await ask(ctx, socketPath, frame)
  } catch (err) {
    if (!isKind(err, 'unavailable')) throw err
    return ask(ctx, socketPath, frame)
  }
}

async function exec(ctx: Ctx, socketPath: string, spec: ExecSpec): Promise<ExecSession> {
  const flags =
    (spec.hasTty ? execFlags.tty : 0) |
    (spec.hasStdin ? execFlags.stdin : 0) |
    (spec.isKilledOnClose ? execFlags.killOnClose : 0)
  const { connection, first } = await open(
    ctx,
    socketPath,
    request(frameTypes.exec, [
      [tags.name, spec.execId],
      [tags.path, spec.processPath],
      [tags.flags, flags],
      [tags.timeoutMs, spec.startTimeoutMs],
    ]),
  )
  if (first.type !== frameTypes.started) {
    connection.close()
    throw errorOf(first, 'failed-precondition')
  }
  const session = createSession(connection, `exec "${spec.execId}"`)
  return {
    ...session,
    pid: fieldNumber(first, tags.pid, 0),
    kill(signal) {
      session.send(request(frameTypes.kill, [[tags.signal, signal]]))
    },
  }
}
