import { constants } from 'node:os'
import { join } from 'node:path'
import { abortError, type Ctx, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import { removePath } from '#base/files'
import type { ExecSession } from '#shim/shim'
import type { ContainerOperations, ExecSyncInput, ExecSyncResult } from '../engine.ts'
import type { Container } from '../model/container.ts'
import type { ContainerDeps } from './container-deps.ts'

/**
 * Runs a command in a running container and answers when it ends, with what it wrote. When time is up or the caller
 * goes, the session of the command is killed.
 */
export function createExecSync(deps: ContainerDeps): ContainerOperations['execSync'] {
  return async (ctx, input) => {
    const container = deps.table.resolve(input.id)
    if (container.phase !== 'running') {
      throw new RuntimeError(
        'failed-precondition',
        `container "${container.id}" is ${container.phase}, not running`,
      )
    }
    if (input.command.length === 0) throw new RuntimeError('invalid-argument', 'no command to execute')
    throwIfAborted(ctx)
    return execIn(deps, ctx, { container, input })
  }
}

async function execIn(
  deps: ContainerDeps,
  ctx: Ctx,
  { container, input }: { readonly container: Container; readonly input: ExecSyncInput },
): Promise<ExecSyncResult> {
  const execId = deps.ids.token()
  const paths = deps.paths.container(container.id)
  const processPath = join(paths.directory, `exec-${execId}.json`)
  await deps.bundles.writeProcess({
    bundlePath: paths.bundle,
    path: processPath,
    command: input.command,
    hasTty: false,
  })
  try {
    const spec = { execId, processPath, hasTty: false, hasStdin: false, isKilledOnClose: true }
    const session = await deps.shims.exec(ctx, paths.socket, spec)
    try {
      return await collect(deps, ctx, { session, input })
    } finally {
      session.close()
    }
  } finally {
    await removePath(processPath)
  }
}

async function collect(
  deps: ContainerDeps,
  ctx: Ctx,
  { session, input }: { readonly session: ExecSession; readonly input: ExecSyncInput },
): Promise<ExecSyncResult> {
  const signals = input.timeoutMs > 0 ? [ctx.signal, AbortSignal.timeout(input.timeoutMs)] : [ctx.signal]
  const signal = AbortSignal.any(signals)
  const kill = (): void => {
    session.kill(constants.signals.SIGKILL)
  }
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    const limit = deps.limits.execSyncBytes
    const output = { stdout: createCapture(limit), stderr: createCapture(limit) }
    for await (const { stream, data } of session.output) output[stream].add(data)
    const { exitCode } = await session.exited
    if (signal.aborted) throw abortError(signal)
    return { stdout: output.stdout.bytes(), stderr: output.stderr.bytes(), exitCode }
  } catch (err) {
    if (!signal.aborted) throw err
    const failure = abortError(signal)
    const command = input.command.join(' ')
    throw new RuntimeError(
      failure.kind,
      `command "${command}" in container "${input.id}": ${failure.message}`,
      {
        cause: err,
      },
    )
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

/** Keeps the first `limit` bytes of a stream and forgets the rest. */
function createCapture(limit: number): { add(data: Buffer): void; bytes(): Buffer } {
  const chunks: Buffer[] = []
  let size = 0
  return {
    add(data) {
      const kept = data.subarray(0, limit - size)
      if (kept.length === 0) return
      chunks.push(kept)
      size += kept.length
    },
    bytes: () => Buffer.concat(chunks),
  }
}
