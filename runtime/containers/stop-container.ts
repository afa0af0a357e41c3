import type { Clock } from '#base/clock'
import { type Ctx, detached, orAborted } from '#base/context'
import { isKind } from '#base/errors'
import type { ContainerId } from '#base/ids'
import type { ContainerOperations } from '../engine.ts'
import type { Container } from '../model/container.ts'
import { signalNumber } from '../oci/stop-signal.ts'
import { type ContainerDeps, containerLimits } from './container-deps.ts'
import { killContainer, signalContainer } from './kill-container.ts'

/** Grace that ends after a time-out; a second caller may shorten it, never lengthen it. */
interface Grace {
  shorten(timeoutMs: number): void
  readonly over: Promise<void>
  end(): void
}

/**
 * Stop signal, grace, SIGKILL. Resolves when the exit is recorded. Calls for the same container share one stop, in
 * which the shortest time-out counts; it goes on without its callers.
 */
export function createStopContainer(deps: ContainerDeps): ContainerOperations['stop'] {
  const stopping = new Map<ContainerId, { readonly grace: Grace; readonly done: Promise<void> }>()

  function begin(ctx: Ctx, id: ContainerId, timeoutMs: number): Promise<void> {
    const grace = createGrace(deps.clock, timeoutMs)
    const own = detached(ctx, timeoutMs + 2 * containerLimits.killTimeoutMs)
    const done = stopContainer(deps, own, { id, grace, hasGrace: timeoutMs > 0 }).finally(() => {
      grace.end()
      stopping.delete(id)
    })
    stopping.set(id, { grace, done })
    return done
  }

  return async (ctx, { id: idOrPrefix, timeoutMs }) => {
    const container = deps.table.find(idOrPrefix)
    if (!container) return
    const running = stopping.get(container.id)
    running?.grace.shorten(timeoutMs)
    await orAborted(ctx, running?.done ?? begin(ctx, container.id, timeoutMs))
  }
}

async function stopContainer(
  deps: ContainerDeps,
  ctx: Ctx,
  { id, grace, hasGrace }: { readonly id: ContainerId; readonly grace: Grace; readonly hasGrace: boolean },
): Promise<void> {
  await deps.locks.run(id, () => Promise.resolve()) // a start that is under way comes first
  const container = deps.table.get(id)
  if (container?.phase !== 'running') return
  if (hasGrace && (await stopsByItself(deps, ctx, { container, grace }))) return
  await killContainer(deps, ctx, container)
}

async function stopsByItself(
  deps: ContainerDeps,
  ctx: Ctx,
  { container, grace }: { readonly container: Container; readonly grace: Grace },
): Promise<boolean> {
  await signalContainer(deps, ctx, { container, signal: signalNumber(container.stopSignal) })
  await Promise.race([deps.supervisor.ended(container.id), grace.over])
  return deps.table.get(container.id)?.phase !== 'running'
}

function createGrace(clock: Clock, timeoutMs: number): Grace {
  let endsAtNs = clock.now() + BigInt(timeoutMs) * 1_000_000n
  let timer = new AbortController()
  const ending = new AbortController()
  let finish: () => void = () => undefined
  const over = new Promise<void>(resolve => {
    finish = resolve
  })

  function wait(ms: number): void {
    const mine = new AbortController()
    timer = mine
    clock.sleep(ms, AbortSignal.any([mine.signal, ending.signal])).then(finish, (err: unknown) => {
      // Aborted: another timer has taken over, or the container ended.
      if (!isKind(err, 'cancelled')) finish()
    })
  }

  wait(timeoutMs)
  return {
    over,
    shorten(ms) {
      const endsNs = clock.now() + BigInt(ms) * 1_000_000n
      if (endsNs >= endsAtNs) return
      endsAtNs = endsNs
      timer.abort()
      wait(ms)
    },
    end() {
      ending.abort()
      finish()
    },
  }
}
