import { type Ctx, detached } from '#base/context'
import { isKind, messageOf } from '#base/errors'
import type { ContainerId } from '#base/ids'
import type { Log } from '#base/log'
import type { ReadExitFile, ShimState, Shims, ShimWatch } from '#shim/shim'
import type { Container } from '../model/container.ts'
import { nextContainerPhase } from '../state/container-machine.ts'
import type { Paths } from '../state/paths.ts'
import type { Table } from '../state/table.ts'
import { type Ending, endingOf } from './exit-status.ts'

const reconnectTimeoutMs = 5_000
const abandonTimeoutMs = 30_000

/** Watches the shims of all containers that run and records how they end. */
export interface Supervisor {
  /**
   * Begins to watch; answers the first state that is not `creating`. If that is an end, it is already recorded.
   * Errors: `not-found` when there is no shim.
   */
  watch(ctx: Ctx, id: ContainerId): Promise<ShimState>
  /** Resolves when the end of a watched container is recorded; at once if it is not watched. */
  ended(id: ContainerId): Promise<void>
  /** Resolves when the shim has deleted the container and is gone; at once if it is not watched. */
  gone(id: ContainerId): Promise<void>
  /**
   * Records an end that was learned in another way; undefined: as the exit file says. If there is none nobody saw
   * it, and what may be left is killed first.
   */
  record(ctx: Ctx, id: ContainerId, state: ShimState | undefined): Promise<void>
  /** Gives up a start that failed before the shim could tell: kills what may be left, records the failure. */
  abandon(ctx: Ctx, id: ContainerId, message: string): Promise<void>
  /** How many shims it is connected to. */
  readonly watching: number
  /** Stops watching; containers go on. */
  stop(): void
}

export interface SupervisorDeps {
  readonly table: Table<Container>
  readonly shims: Pick<Shims, 'watch'>
  readonly readExitFile: ReadExitFile
  readonly paths: Pick<Paths, 'container'>
  /** Called for a container whose shim is lost: ends what may still run of it. */
  readonly killLost: (ctx: Ctx, container: Container) => Promise<void>
  /** Called once for each end that was recorded. */
  readonly onEnded: (ctx: Ctx, container: Container) => Promise<void>
  readonly now: () => bigint
  readonly log: Log
}

interface Watched {
  /** Resolves when the end is recorded. */
  readonly ended: Promise<void>
  readonly gone: Promise<void>
  close(): void
}

export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const watched = new Map<ContainerId, Watched>()
  const stopping = new AbortController()

  return {
    async watch(ctx, id) {
      const watch = await deps.shims.watch(ctx, deps.paths.container(id).socket)
      const follower = follow(deps, stopping.signal, { id, watch })
      watched.set(id, follower)
      void follower.gone.then(() => {
        if (watched.get(id) === follower) watched.delete(id)
      })
      const state = await watch.started
      if (state.kind === 'exited' || state.kind === 'failed') await follower.ended
      return state
    },
    ended: id => watched.get(id)?.ended ?? Promise.resolve(),
    gone: id => watched.get(id)?.gone ?? Promise.resolve(),
    async record(ctx, id, state) {
      const container = deps.table.get(id)
      const known = state ?? (await deps.readExitFile(deps.paths.container(id).exitFile))
      if (!known && container) await deps.killLost(ctx, container)
      await recordEnd(ctx, deps, { id, ending: endingOf(known) })
    },
    async abandon(ctx, id, message) {
      const container = deps.table.get(id)
      if (container) await deps.killLost(detached(ctx, abandonTimeoutMs), container)
      await recordEnd(ctx, deps, { id, ending: endingOf({ kind: 'failed', message }) })
    },
    get watching() {
      return watched.size
    },
    stop() {
      stopping.abort()
      for (const follower of watched.values()) follower.close()
    },
  }
}

/** Follows one container to its end, over a new connection if one breaks while the shim lives. */
function follow(
  deps: SupervisorDeps,
  signal: AbortSignal,
  { id, watch }: { readonly id: ContainerId; readonly watch: ShimWatch },
): Watched {
  const ctx: Ctx = { signal, log: deps.log }
  let current = watch
  let hasEnded = false

  async function toTheEnd(): Promise<void> {
    while (!hasEnded) {
      const state = await current.ended
      if (signal.aborted) return
      const again = state ? undefined : await reconnect(ctx, deps, id)
      hasEnded = !again
      if (again) current = again
      else await onEnd(ctx, deps, { id, told: state })
    }
  }

  const ended = toTheEnd().catch((err: unknown) => {
    deps.log.error({ containerId: id, err: messageOf(err) }, 'end of the container cannot be recorded')
  })
  return {
    ended,
    gone: ended.then(() => current.gone),
    close: () => {
      current.close()
    },
  }
}

async function reconnect(ctx: Ctx, deps: SupervisorDeps, id: ContainerId): Promise<ShimWatch | undefined> {
  try {
    return await deps.shims.watch(detached(ctx, reconnectTimeoutMs), deps.paths.container(id).socket)
  } catch (err) {
    if (!isKind(err, 'not-found'))
      deps.log.warn({ containerId: id, err: messageOf(err) }, 'shim does not answer')
    return undefined
  }
}

async function onEnd(
  ctx: Ctx,
  deps: SupervisorDeps,
  { id, told }: { readonly id: ContainerId; readonly told: ShimState | undefined },
): Promise<void> {
  const container = deps.table.get(id)
  if (!container) return
  const state = told ?? (await deps.readExitFile(deps.paths.container(id).exitFile))
  if (!state) {
    deps.log.error({ containerId: id }, 'shim was lost: ending what is left of the container')
    await deps.killLost(ctx, container)
  }
  await recordEnd(ctx, deps, { id, ending: endingOf(state) })
}

async function recordEnd(
  ctx: Ctx,
  deps: SupervisorDeps,
  { id, ending }: { readonly id: ContainerId; readonly ending: Ending },
): Promise<void> {
  let endings = 0
  const ended = await deps.table.update(
    id,
    current => {
      if (current.phase === 'exited' || current.phase === 'removing') return current
      endings++
      const finishedAtNs = ending.finishedAtNs || deps.now()
      // A short life may be over before its start is recorded, or seem to end before it began: the shim saw the end,
      // the daemon heard of the start.
      const hasRun = current.phase === 'starting' && ending.finishedAtNs !== 0n
      const startedAtNs = current.startedAtNs || (hasRun ? finishedAtNs : 0n)
      return {
        ...current,
        phase: nextContainerPhase(current, 'ended'),
        stage: '',
        pid: undefined,
        startedAtNs: startedAtNs > finishedAtNs ? finishedAtNs : startedAtNs,
        finishedAtNs,
        exit: ending.exit,
      }
    },
    { mayOutrunDisk: true },
  )
  deps.log.info({ containerId: id, ...ending.exit }, 'container ended')
  if (endings > 0) await deps.onEnded(ctx, ended)
}
