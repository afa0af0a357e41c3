import { join } from 'node:path'
import { type Ctx, detached, orAborted } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import { removePath } from '#base/files'
import type { Ids } from '#base/ids'
import type { ExecSession, Shims } from '#shim/shim'
import type { Container } from '../model/container.ts'
import type { Paths } from '../state/paths.ts'
import { createTurns } from './turns.ts'

/**
 * Limits of the commands in one container. Together less than a shim takes (EXECS_MAX in shim.h): an exec whose
 * client has left counts there for a moment longer.
 */
export const execLimits = {
  /** Of ExecSync; more wait for their turn. */
  syncAtOnce: 32,
  syncWaiting: 2048,
  /** Streaming sessions: they may last for days, so that nobody waits for one to end. */
  sessionsAtOnce: 24,
  /** For the OCI runtime to start a command. */
  startTimeoutMs: 30_000,
  /** How much later the shim may say that it did not. */
  startSlackMs: 15_000,
} as const

export interface ExecStart {
  readonly container: Container
  readonly command: readonly string[]
  readonly purpose: 'sync' | 'session'
  readonly hasTty: boolean
  readonly hasStdin: boolean
}

/** Starts commands in running containers. */
export interface Execs {
  /**
   * Resolves when the command runs; the caller closes the session, which ends every process of it. Errors:
   * `failed-precondition` if the container has ended or the runtime cannot start the command, `resource-exhausted`
   * when too many run.
   */
  start(ctx: Ctx, exec: ExecStart): Promise<ExecSession>
}

export interface ExecsDeps {
  /** Writes the process.json of a command: the container's own process with another command. */
  readonly writeProcess: (input: {
    readonly bundlePath: string
    readonly path: string
    readonly command: readonly string[]
    readonly hasTty: boolean
  }) => Promise<void>
  readonly shims: Pick<Shims, 'exec'>
  readonly paths: Pick<Paths, 'container'>
  readonly ids: Pick<Ids, 'token'>
}

export function createExecs(deps: ExecsDeps): Execs {
  const turns = {
    sync: createTurns({
      atOnce: execLimits.syncAtOnce,
      waiting: execLimits.syncWaiting,
      what: 'commands in container',
    }),
    session: createTurns({
      atOnce: execLimits.sessionsAtOnce,
      waiting: 0,
      what: 'exec sessions in container',
    }),
  }
  return {
    async start(ctx, exec) {
      const endTurn = await turns[exec.purpose].take(ctx, exec.container.id)
      const starting = launch(deps, detached(ctx, execLimits.startTimeoutMs + execLimits.startSlackMs), exec)
      // The turn lasts as long as the process does, also when the caller leaves before it runs.
      void starting
        .then(session => session.exited)
        .catch(() => undefined)
        .finally(endTurn)
      try {
        return await orAborted(ctx, starting)
      } catch (err) {
        void starting.then(
          session => {
            session.close()
          },
          () => undefined,
        )
        throw err
      }
    },
  }
}

async function launch(deps: ExecsDeps, ctx: Ctx, exec: ExecStart): Promise<ExecSession> {
  const { container, command, hasTty, hasStdin } = exec
  const { startTimeoutMs } = execLimits
  const execId = deps.ids.token()
  const paths = deps.paths.container(container.id)
  const processPath = join(paths.directory, `exec-${execId}.json`)
  try {
    await deps.writeProcess({ bundlePath: paths.bundle, path: processPath, command, hasTty })
    const spec = { execId, processPath, hasTty, hasStdin, isKilledOnClose: true, startTimeoutMs }
    return await deps.shims.exec(ctx, paths.socket, spec)
  } catch (err) {
    if (!isKind(err, 'not-found')) throw err
    throw new RuntimeError('failed-precondition', `container "${container.id}" has ended`, { cause: err })
  } finally {
    await removePath(processPath)
  }
}
