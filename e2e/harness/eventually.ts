import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 25
const defaultTimeoutMs = 20_000

/**
 * Polls until `look` answers something other than undefined and false, and answers that. An exception counts as
 * "not yet"; when the time is up the last one is the cause of the error.
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = defaultTimeoutMs,
): Promise<T> {
  const end = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
      last = undefined
    } catch (err) {
      last = err
    }
    if (Date.now() > end) {
      throw new Error(`not within ${String(timeoutMs)} ms: ${what}`, { cause: last })
    }
    await delay(pollMs)
  }
}
