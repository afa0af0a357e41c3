import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../environment.ts'
import type { BenchOptions } from '../options.ts'
import type { CaseResult } from './sheet.ts'
import { summarize } from './statistics.ts'
import { renderSvg } from './svg.ts'

export interface Run {
  readonly environment: Environment
  readonly options: BenchOptions
  readonly results: readonly CaseResult[]
}

/** Writes DIR/DATE.json with every sample, and DIR/DATE.svg; answers their paths. */
export async function writeResults(dir: string, run: Run): Promise<readonly string[]> {
  const name = run.environment.date.replace(/\.\d+Z$/, '').replaceAll(':', '-')
  const results = run.results.map(result => ({
    ...result,
    figures: result.figures.map(figure => ({ ...figure, ...summarize(figure.samples) })),
  }))
  const title = `${Object.values(run.environment.subjects).join(', ')}; ${run.environment.date}`
  const files = [
    [join(dir, `${name}.json`), `${JSON.stringify({ ...run, results }, null, 1)}\n`],
    [join(dir, `${name}.svg`), renderSvg(run.results, title)],
  ] as const
  await mkdir(dir, { recursive: true })
  for (const [path, text] of files) await writeFile(path, text)
  return files.map(([path]) => path)
}
