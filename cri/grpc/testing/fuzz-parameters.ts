/** How a fuzz test is run: by chance, or again as before. */
export interface FuzzParameters {
  readonly seed: number
  readonly numRuns: number
}

const largestSeed = 2 ** 31

/** FUZZ_SEED repeats a run that failed, FUZZ_RUNS makes it longer or shorter. */
export function fuzzParameters(defaultRuns: number): FuzzParameters {
  return {
    seed: wholeNumber('FUZZ_SEED') ?? Math.floor(Math.random() * largestSeed),
    numRuns: wholeNumber('FUZZ_RUNS') ?? defaultRuns,
  }
}

function wholeNumber(name: string): number | undefined {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${name} is not a whole number: ${text}`)
  return number
}
