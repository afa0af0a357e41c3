import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import type { Program, Programs } from '#base/programs'
import type { Criu } from './criu.ts'
import { errorsInLog } from './criu-log.ts'
import { layout } from './layout.ts'
import { checkpointLimits } from './limits.ts'

/** A container as its OCI runtime knows it. */
export interface RuntimeContainer {
  readonly id: string
  /** Absolute. */
  readonly runtimePath: string
  readonly runtimeRoot: string
  readonly hasSystemdCgroup: boolean
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** No process of it runs any more when this returns. Errors: `failed-precondition` with the OCI runtime's reason. */
export async function pauseContainer(
  ctx: Ctx,
  programs: Programs,
  container: RuntimeContainer,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const error = await call(ctx, programs, { container, args: ['pause', container.id] })
    if (error === undefined) return
    // The freezer of cgroup v1 loses a race against a container that forks all the time, and wins the next one.
    if (attempt < checkpointLimits.pauseAttempts && error.includes('unable to freeze')) continue
    throw new RuntimeError('failed-precondition', `container "${container.id}" cannot be paused: ${error}`)
  }
}

/** One that is not paused, or gone, is fine. Errors: `internal`. */
export async function resumeContainer(
  ctx: Ctx,
  programs: Programs,
  container: RuntimeContainer,
): Promise<void> {
  const error = await call(ctx, programs, { container, args: ['resume', container.id], mayFinish: true })
  if (error === undefined || /not paused|does not exist/.test(error)) return
  throw new RuntimeError('internal', `container "${container.id}" cannot be resumed: ${error}`)
}

export interface DumpInput {
  readonly container: RuntimeContainer
  readonly criu: Criu
  /** Existing; gets the directory of CRIU's images, its log and its statistics. */
  readonly directory: string
  readonly timeoutMs: number
}

/**
 * Writes the memory and the kernel's state of all processes of a paused container, which stays paused. Errors:
 * `failed-precondition` with what CRIU cannot handle, `resource-exhausted` for a full disk, `deadline-exceeded`.
 */
export async function dumpProcesses(ctx: Ctx, programs: Programs, input: DumpInput): Promise<void> {
  const { container, directory } = input
  const error = await call(ctx, programs, {
    container,
    criu: input.criu,
    timeoutMs: input.timeoutMs,
    args: [
      ...['checkpoint', '--leave-running', '--tcp-established', '--file-locks', '--ext-unix-sk'],
      ...['--image-path', join(directory, layout.images), '--work-path', directory, container.id],
    ],
  })
  if (error === undefined) return
  const reason = (await errorsInLog(join(directory, layout.dumpLog))) || error
  throw new RuntimeError(
    /No space left|Disk quota exceeded/.test(reason) ? 'resource-exhausted' : 'failed-precondition',
    `the processes of container "${container.id}" cannot be captured: ${reason}`,
  )
}

interface Call extends Pick<Program, 'mayFinish'> {
  readonly container: RuntimeContainer
  readonly args: readonly string[]
  readonly criu?: Criu
  readonly timeoutMs?: number
}

/** Why the OCI runtime could not do it; undefined: it could. */
async function call(ctx: Ctx, programs: Programs, input: Call): Promise<string | undefined> {
  const { runtimePath, runtimeRoot, hasSystemdCgroup } = input.container
  const systemd = hasSystemdCgroup ? ['--systemd-cgroup'] : []
  try {
    const { exitCode, stderr } = await programs.run(ctx, {
      argv: [runtimePath, '--root', runtimeRoot, ...systemd, ...input.args],
      env: [`PATH=${input.criu ? `${input.criu.directory}:` : ''}${searchPath}`],
      timeoutMs: input.timeoutMs ?? checkpointLimits.pauseTimeoutMs,
      mayFinish: input.mayFinish ?? false,
    })
    if (exitCode === 0) return undefined
    const text = stderr.toString().trim().slice(-checkpointLimits.messageLength)
    return text === '' ? `${runtimePath} ended with exit code ${exitCode}` : text
  } catch (err) {
    if (!isKind(err, 'not-found')) throw err
    throw new RuntimeError('failed-precondition', `OCI runtime ${runtimePath} cannot be executed`, {
      cause: err,
    })
  }
}
