import type { BenchOptions } from './options.ts'
import type { Sample, Sheet } from './report/sheet.ts'
import type { Subject } from './subjects/subject.ts'

/** What a case has: the runtimes, what was asked for, and a sheet to fill. */
export interface Bench {
  readonly subjects: readonly Subject[]
  readonly options: BenchOptions
  readonly sheet: Sheet
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** One question; a case leaves its pods to the harness, which removes them. */
export interface BenchCase {
  readonly name: string
  readonly title: string
  run(bench: Bench): Promise<void>
}

export type Record = (sample: Sample) => void

export interface Rounds {
  /** Default: those of the options. */
  readonly rounds?: number
  readonly warmUp?: number
  /** Default: all. */
  readonly subjects?: readonly Subject[]
}

/**
 * Runs `once` for each subject in turn (A B A B), so that what disturbs the machine disturbs all. What is recorded
 * while warming up is dropped.
 */
export async function interleave(
  bench: Bench,
  once: (subject: Subject, record: Record) => Promise<void>,
  { rounds = bench.options.rounds, warmUp = bench.options.warmUp, subjects = bench.subjects }: Rounds = {},
): Promise<void> {
  for (let round = -warmUp; round < rounds; round++) {
    for (const subject of subjects) {
      bench.signal.throwIfAborted()
      await once(subject, sample => {
        if (round >= 0) bench.sheet.add(subject.name, sample)
      })
    }
  }
}

/** Answers what `work` answers and the milliseconds that it took. */
export async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const begin = performance.now()
  const answer = await work()
  return [answer, performance.now() - begin]
}
