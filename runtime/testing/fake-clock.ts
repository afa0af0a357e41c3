import type { Clock } from '#base/clock'
import { abortError } from '#base/context'

/** A clock that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /** Moves time on and wakes whoever slept so long; resolves when what they woke to do next has begun. */
  advance(ms: number): Promise<void>
  /** How many sleep. */
  readonly sleepers: number
}

interface Sleeper {
  readonly wakesAtNs: bigint
  readonly wake: () => void
}

export function createFakeClock(startNs = 1_700_000_000_000_000_000n): FakeClock {
  let nowNs = startNs
  let sleepers: Sleeper[] = []
  return {
    now: () => nowNs++,
    get sleepers() {
      return sleepers.length
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(abortError(signal))
          return
        }
        const sleeper = { wakesAtNs: nowNs + BigInt(ms) * 1_000_000n, wake: resolve }
        sleepers.push(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers = sleepers.filter(other => other !== sleeper)
          reject(abortError(signal))
        })
      })
    },
    async advance(ms) {
      nowNs += BigInt(ms) * 1_000_000n
      const due = sleepers.filter(sleeper => sleeper.wakesAtNs <= nowNs)
      sleepers = sleepers.filter(sleeper => sleeper.wakesAtNs > nowNs)
      for (const sleeper of due) sleeper.wake()
      await new Promise(resolve => setImmediate(resolve))
    },
  }
}
