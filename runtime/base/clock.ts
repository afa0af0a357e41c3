import { setTimeout as delay } from 'node:timers/promises'
import { abortError } from './context.ts'

/** Time as a parameter, so that tests own it. */
export interface Clock {
  /** Nanoseconds since the epoch, never twice the same value. */
  now(): bigint
  /** Resolves after `ms`; rejects with `cancelled` or `deadline-exceeded` when the signal aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export function createClock(): Clock {
  let last = 0n
  return {
    now() {
      const now = BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1000)) * 1000n
      last = now > last ? now : last + 1n
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
