/** What is said of the samples of one metric. */
export interface Summary {
  readonly count: number
  readonly median: number
  readonly p95: number
  readonly least: number
}

/** NaN in all figures if there is no sample. */
export function summarize(samples: readonly number[]): Summary {
  return {
    count: samples.length,
    median: quantile(samples, 0.5),
    p95: quantile(samples, 0.95),
    least: quantile(samples, 0),
  }
}

/** The value below which `share` (0 to 1) of the numbers lie, between two of them in proportion; NaN of none. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [low = NaN, high = NaN] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  return low + (high - low) * (at - Math.floor(at))
}
