import { setTimeout as delay } from 'node:timers/promises'
import { abortError } from './context.ts'

/** Time as a parameter, so that tests own it. */
export interface Clock {
  /**
   * Nanoseconds since the epoch, never twice the same value; follows the system clock, also when somebody sets it
   * back.
   */
  now(): bigint
  /** Resolves after `ms`; rejects with `cancelled` or `deadline-exceeded` when the signal aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A smaller step back is the resolution of the clock, or a correction of it; a larger one is a new time. */
const smallStepNs = 1_000_000_000n

export function createClock(wallMs: () => number = Date.now): Clock {
  let last = 0n
  return {
    now() {
      const wall = BigInt(wallMs()) * 1_000_000n
      last = wall > last || last - wall > smallStepNs ? wall : last + 1n
      return last
    },
    async sleep(ms, signal) {
      try {
        await delay(ms, undefined, signal ? { signal } : {})
      } catch (err) {
        throw signal?.aborted ? abortError(signal) : err
      }
    },
  }
}
