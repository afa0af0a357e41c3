import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 25
const defaultTimeoutMs = 20_000

/** How many times slower than usual this machine is (an emulated one): every time-out of a test is longer by that. */
export const slowness = Number(process.env['E2E_SLOWNESS'] ?? 1)

/**
 * Polls until `look` answers something other than undefined and false, and answers that. An exception counts as
 * "not yet"; when the time is up the last one is the cause of the error.
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = defaultTimeoutMs,
): Promise<T> {
  const end = Date.now() + timeoutMs * slowness
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
      throw new Error(`not within ${String(timeoutMs * slowness)} ms: ${what}`, { cause: last })
    }
    await delay(pollMs)
  }
}
