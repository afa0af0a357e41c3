import { RuntimeError } from './errors.ts'
import type { Log } from './log.ts'

/** What every operation takes first: when to give up, and where to write about it. */
export interface Ctx {
  readonly signal: AbortSignal
  readonly log: Log
}

/** Throws `cancelled` or `deadline-exceeded` if the caller is gone. */
export function throwIfAborted(ctx: Ctx): void {
  if (ctx.signal.aborted) throw abortError(ctx.signal)
}

/** The error an aborted signal stands for: a time-out is `deadline-exceeded`, everything else `cancelled`. */
export function abortError(signal: AbortSignal): RuntimeError {
  const reason: unknown = signal.reason
  if (reason instanceof RuntimeError) return reason
  const isTimeout = reason instanceof Error && reason.name === 'TimeoutError'
  return new RuntimeError(
    isTimeout ? 'deadline-exceeded' : 'cancelled',
    isTimeout ? 'time is up' : 'cancelled',
  )
}

/** A context for work that must go on when the caller is gone (undo, teardown): its own deadline, same log. */
export function detached(ctx: Ctx, timeoutMs: number): Ctx {
  return { signal: AbortSignal.timeout(timeoutMs), log: ctx.log }
}

/** Settles with `promise`, or rejects as soon as `ctx` is aborted; the work itself goes on. */
export async function orAborted<T>(ctx: Ctx, promise: Promise<T>): Promise<T> {
  throwIfAborted(ctx)
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(abortError(ctx.signal))
    }
    ctx.signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    if (onAbort) ctx.signal.removeEventListener('abort', onAbort)
  }
}
