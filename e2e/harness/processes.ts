import { listDirectory, readText } from './files.ts'

/**
 * Pids of the processes whose comm is `name` (cut to 15 characters, as the kernel does) and whose command line
 * contains `part`.
 */
export async function pidsOf(name: string, part = ''): Promise<readonly number[]> {
  const pids = (await listDirectory('/proc')).filter(entry => /^\d+$/.test(entry))
  const comms = await Promise.all(pids.map(pid => readText(`/proc/${pid}/comm`)))
  const named = pids.filter((_, index) => comms[index]?.trim() === name.slice(0, 15))
  const commands = await Promise.all(named.map(pid => readText(`/proc/${pid}/cmdline`)))
  return named.filter((_, index) => commands[index]?.includes(part)).map(Number)
}

/** Children of a process by comm. */
export async function childOf(parent: number, name: string): Promise<number | undefined> {
  for (const pid of await pidsOf(name)) {
    const stat = (await readText(`/proc/${String(pid)}/stat`)).replace(/^.*\) /s, '')
    if (Number(stat.split(' ')[1]) === parent) return pid
  }
  return undefined
}
