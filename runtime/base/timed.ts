import { type ErrorKind, kindOf } from './errors.ts'

/** How long a piece of work took, and how it ended. */
export interface Timing {
  readonly ms: number
  /** undefined: it succeeded. */
  readonly failure: ErrorKind | undefined
}

/** Does the work and tells how it went, before anybody else hears of it. `tell` returns at once and never throws. */
export async function timed<T>(tell: (timing: Timing) => void, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now()
  let failure: ErrorKind | undefined
  try {
    return await work()
  } catch (err) {
    failure = kindOf(err)
    throw err
  } finally {
    tell({ ms: performance.now() - startedMs, failure })
  }
}
