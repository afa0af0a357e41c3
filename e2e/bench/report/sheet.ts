/** Of rates more is better, of everything else less. */
export type Unit = 'ms' | 'MB' | 'kB' | '% of a core' | 's/GB' | 's' | 'MB/s' | 'pods/s' | 'calls/s'

/** The samples of one subject for one metric, in the order in which they were taken. */
export interface Figure {
  readonly metric: string
  readonly unit: Unit
  readonly subject: string
  readonly samples: readonly number[]
}

/** What one case has found out. */
export interface CaseResult {
  readonly name: string
  readonly title: string
  readonly figures: readonly Figure[]
  /** What a reader of the figures should know. */
  readonly notes: readonly string[]
  /** Why the case ended early. */
  readonly failure?: string
}

/** Collects samples; metrics keep the order in which they came first. */
export interface Sheet {
  add(subject: string, sample: Sample): void
  note(text: string): void
  figures(): readonly Figure[]
  notes(): readonly string[]
}

export interface Sample {
  readonly metric: string
  readonly unit: Unit
  readonly value: number
}

export function createSheet(): Sheet {
  const figures = new Map<string, Figure & { readonly samples: number[] }>()
  const notes = new Set<string>()
  return {
    add(subject, { metric, unit, value }) {
      const key = JSON.stringify([metric, subject])
      const figure = figures.get(key) ?? { metric, unit, subject, samples: [] }
      figure.samples.push(value)
      figures.set(key, figure)
    },
    note(text) {
      notes.add(text)
    },
    figures: () => [...figures.values()],
    notes: () => [...notes],
  }
}

export function isMoreBetter(unit: Unit): boolean {
  return unit === 'MB/s' || unit === 'pods/s' || unit === 'calls/s'
}
