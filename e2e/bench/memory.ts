import { readText } from '../harness/files.ts'

/** Memory of a process in kB: resident, and proportional (shared pages divided by their users). */
export interface Memory {
  readonly rssKb: number
  readonly pssKb: number
}

/** undefined if the process is gone. */
export async function memoryOf(pid: number): Promise<Memory | undefined> {
  const rollup = await readText(`/proc/${String(pid)}/smaps_rollup`)
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1])
  const memory = { rssKb: field('Rss'), pssKb: field('Pss') }
  return Number.isNaN(memory.rssKb) ? undefined : memory
}
