import { setTimeout as delay } from 'node:timers/promises'
import { slowness } from './eventually.ts'
import type { Scratch } from './scratch.ts'
import { collectTraces, type Traces, traceKinds } from './traces.ts'

/** Compares what is on the machine before and after. */
export interface Auditor {
  /** Takes what is there now as right. */
  baseline(): Promise<void>
  /** Waits until nothing is left over; fails naming each thing that is. */
  assertNothingLeft(): Promise<void>
}

/** Shims may take this long to go after their container is removed. */
const settleTimeoutMs = 15_000
const pollMs = 100

export function createAuditor(scratch: Scratch): Auditor {
  let before: Traces | undefined
  return {
    async baseline() {
      before = await collectTraces(scratch)
    },
    async assertNothingLeft() {
      if (!before) throw new Error('baseline() first')
      const end = Date.now() + settleTimeoutMs * slowness
      for (;;) {
        const left = leftovers(before, await collectTraces(scratch))
        if (left.length === 0) return
        if (Date.now() > end) throw new Error(`left over:\n  ${left.join('\n  ')}`)
        await delay(pollMs)
      }
    },
  }
}

/** What is in `after` and not in `before`, kind in front. */
export function leftovers(before: Traces, after: Traces): readonly string[] {
  return traceKinds.flatMap(kind => {
    const known = new Set(before[kind])
    return after[kind].filter(line => !known.has(line)).map(line => `${kind}: ${line}`)
  })
}
