import { abortError, type Ctx, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'

export interface TurnLimits {
  /** Turns that last at once, for each key. */
  readonly atOnce: number
  /** Callers that may wait for one, for each key. */
  readonly waiting: number
  /** What a turn is for, in messages: `commands in container`. */
  readonly what: string
}

/** Bounded work for each key, first come first served; takes no memory while there is none. */
export interface Turns {
  /**
   * Resolves when it is the caller's turn; who got one calls what it got, once, to end it. Errors:
   * `resource-exhausted` when too many wait, those of an aborted context.
   */
  take(ctx: Ctx, key: string): Promise<() => void>
}

interface Line {
  running: number
  /** In order; not empty only while as many run as may. */
  readonly waiting: Set<() => void>
}

export function createTurns(limits: TurnLimits): Turns {
  const lines = new Map<string, Line>()

  function end(key: string, line: Line): void {
    const [next] = line.waiting
    if (next) {
      line.waiting.delete(next)
      next()
    } else if (--line.running === 0) lines.delete(key)
  }

  return {
    async take(ctx, key) {
      throwIfAborted(ctx)
      const line = lines.get(key) ?? { running: 0, waiting: new Set() }
      lines.set(key, line)
      if (line.running < limits.atOnce) line.running++
      else if (line.waiting.size < limits.waiting) await wait(ctx, line.waiting)
      else {
        throw new RuntimeError(
          'resource-exhausted',
          `${limits.what} "${key}": ${line.running} run and ${line.waiting.size} wait, which is the limit`,
        )
      }
      return () => {
        end(key, line)
      }
    },
  }
}

async function wait(ctx: Ctx, waiting: Set<() => void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onTurn = (): void => {
      ctx.signal.removeEventListener('abort', onAbort)
      resolve()
    }
    const onAbort = (): void => {
      waiting.delete(onTurn)
      reject(abortError(ctx.signal))
    }
    waiting.add(onTurn)
    ctx.signal.addEventListener('abort', onAbort, { once: true })
  })
}
