import { constants } from 'node:os'
import { abortError, type Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { ExecSession } from '#shim/shim'
import type { ContainerOperations, ExecSyncInput, ExecSyncResult } from '../engine.ts'
import type { ContainerDeps } from './container-deps.ts'
import { createCapture } from './output-capture.ts'
import { runningContainer } from './running-container.ts'

/** From SIGKILL to the end of the command; one that is stuck in the kernel is not waited for any longer. */
const killTimeoutMs = 5_000

/**
 * Runs a command in a running container and answers when it ends, with what it wrote. When time is up or the caller
 * goes, the session of the command is killed. The time of a command begins when it runs.
 */
export function createExecSync(
  deps: Pick<ContainerDeps, 'table' | 'execs' | 'limits'>,
): ContainerOperations['execSync'] {
  return async (ctx, input) => {
    const container = runningContainer(deps.table, input.id)
    const { command } = input
    if (command.length === 0) throw new RuntimeError('invalid-argument', 'no command to execute')
    const session = await deps.execs.start(ctx, {
      container,
      command,
      purpose: 'sync',
      hasTty: false,
      hasStdin: false,
    })
    try {
      return await collect(ctx, { session, input, limit: deps.limits.execSyncBytes })
    } finally {
      session.close()
    }
  }
}

interface Collecting {
  readonly session: ExecSession
  readonly input: ExecSyncInput
  readonly limit: number
}

async function collect(ctx: Ctx, { session, input, limit }: Collecting): Promise<ExecSyncResult> {
  const signals = input.timeoutMs > 0 ? [ctx.signal, AbortSignal.timeout(input.timeoutMs)] : [ctx.signal]
  const signal = AbortSignal.any(signals)
  let giveUp: NodeJS.Timeout | undefined
  const kill = (): void => {
    session.kill(constants.signals.SIGKILL)
    giveUp = setTimeout(() => {
      session.close()
    }, killTimeoutMs)
  }
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    const output = { stdout: createCapture(limit), stderr: createCapture(limit) }
    for await (const { stream, data } of session.output) output[stream].add(data)
    const { exitCode } = await session.exited
    if (signal.aborted) throw abortError(signal)
    return { stdout: output.stdout.bytes(), stderr: output.stderr.bytes(), exitCode }
  } catch (err) {
    throw signal.aborted ? aborted(signal, input, err) : err
  } finally {
    clearTimeout(giveUp)
    signal.removeEventListener('abort', kill)
  }
}

function aborted(signal: AbortSignal, input: ExecSyncInput, cause: unknown): RuntimeError {
  const { kind, message } = abortError(signal)
  const command = input.command.join(' ')
  return new RuntimeError(kind, `command "${command}" in container "${input.id}": ${message}`, { cause })
}
