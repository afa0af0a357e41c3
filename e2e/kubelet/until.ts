import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'

const pollMs = 250

/**
 * Asks again and again, at the pace of an API that answers from a database, until the answer is accepted, and gives
 * that. An exception counts as "not yet". When the time is up the error shows the last answer.
 */
export async function until<T>(
  what: string,
  {
    ask,
    accept,
    timeoutMs = 60_000,
  }: {
    readonly ask: () => Promise<T>
    readonly accept: (answer: T) => boolean
    readonly timeoutMs?: number
  },
): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    let last: unknown
    try {
      const answer = await ask()
      if (accept(answer)) return answer
      last = answer
    } catch (err) {
      last = err
    }
    if (Date.now() > end) throw new Error(`not within ${String(timeoutMs / 1000)} s: ${what}: ${show(last)}`)
    await delay(pollMs)
  }
}

const shownLength = 3_000

function show(answer: unknown): string {
  if (answer instanceof Error) return answer.message
  return (typeof answer === 'string' ? answer : inspect(answer, { depth: 8 })).slice(0, shownLength)
}
