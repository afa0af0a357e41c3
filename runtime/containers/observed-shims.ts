import { kindOf } from '#base/errors'
import { type Timing, timed } from '#base/timed'
import type { Shims, ShimWatch } from '#shim/shim'
import type { EngineObserver } from '../model/observer.ts'

/**
 * The same shims, and the observer hears what their OCI runtime does: `run` or `restore` from the start of the shim
 * until the container runs, `exec` until the process runs.
 */
export function observedShims(shims: Shims, observer: Pick<EngineObserver, 'runtimeRan'>): Shims {
  /** When those were started that nobody watches yet; a start watches its shim at once. */
  const launched = new Map<string, Launched>()

  const tell = (operation: string) => (timing: Timing) => {
    observer.runtimeRan({ operation, ...timing })
  }
  function tellStart({ operation, startedMs }: Launched, failure: Timing['failure']): void {
    tell(operation)({ ms: performance.now() - startedMs, failure })
  }

  async function watchStart(start: Launched, watching: Promise<ShimWatch>): Promise<ShimWatch> {
    try {
      const watch = await watching
      void watch.started.then(
        ({ kind }) => {
          tellStart(start, kind === 'failed' ? 'failed-precondition' : undefined)
        },
        (err: unknown) => {
          tellStart(start, kindOf(err))
        },
      )
      return watch
    } catch (err) {
      tellStart(start, kindOf(err))
      throw err
    }
  }

  return {
    ...shims,
    async launch(ctx, spec) {
      const start = { operation: spec.restore ? 'restore' : 'run', startedMs: performance.now() }
      try {
        await shims.launch(ctx, spec)
        launched.set(spec.socketPath, start)
      } catch (err) {
        tellStart(start, kindOf(err))
        throw err
      }
    },
    watch(ctx, socketPath) {
      const start = launched.get(socketPath)
      launched.delete(socketPath)
      const watching = shims.watch(ctx, socketPath)
      return start ? watchStart(start, watching) : watching
    },
    exec: (ctx, socketPath, spec) => timed(tell('exec'), () => shims.exec(ctx, socketPath, spec)),
  }
}

interface Launched {
  readonly operation: string
  readonly startedMs: number
}
