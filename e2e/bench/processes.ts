import { listDirectory, readText } from '../harness/files.ts'
import type { Subject } from './subjects/subject.ts'

interface Process {
  readonly pid: number
  readonly parent: number
  readonly name: string
}

/** What runtimes keep beside their daemon: shims, monitors, pauses. */
const keptNames = /^(lighter-|containerd-shim|conmon|pause$)/
/** proc_pid_stat(5) counts in hundredths of a second. */
const tickMs = 10
const kilobyte = 1024
const megabyte = 1_000_000

/** Everything that a runtime keeps: its daemon, what that started, and its shims, monitors and pauses. */
export async function keptProcesses(subject: Subject): Promise<readonly number[]> {
  const { scratch, socketPath } = subject
  const all = await listProcesses()
  const family = new Set([await subject.daemonPid()])
  for (let before = 0; before < family.size; ) {
    before = family.size
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid)
  }
  const marks = [`${scratch.dir}/`, socketPath]
  for (const { pid, name } of all) {
    if (family.has(pid) || !keptNames.test(name)) continue
    const command = await readText(`/proc/${pid}/cmdline`)
    const cgroups = await readText(`/proc/${pid}/cgroup`)
    if (marks.some(mark => command.includes(mark)) || cgroups.includes(`${scratch.cgroupParent}/`)) {
      family.add(pid)
    }
  }
  return [...family]
}

/** Proportional set sizes in MB: pages that several processes share are divided among them. */
export async function memoryMegabytes(pids: readonly number[]): Promise<number> {
  const kilobytes = await Promise.all(pids.map(memoryKilobytes))
  return (kilobytes.reduce((sum, one) => sum + one, 0) * kilobyte) / megabyte
}

/** 0 if the process is gone. */
export async function memoryKilobytes(pid: number): Promise<number> {
  const rollup = await readText(`/proc/${pid}/smaps_rollup`)
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0)
}

/** Time that processes, and children that they have waited for, have used. */
export async function cpuMs(pids: readonly number[]): Promise<number> {
  const stats = await Promise.all(pids.map(pid => readText(`/proc/${pid}/stat`)))
  return stats.reduce((sum, stat) => sum + cpuOf(stat), 0)
}

function cpuOf(stat: string): number {
  const [, , , , , , , , , , , user = '0', system = '0', children = '0', childrenSystem = '0'] = fields(stat)
  return (Number(user) + Number(system) + Number(children) + Number(childrenSystem)) * tickMs
}

async function listProcesses(): Promise<readonly Process[]> {
  const pids = (await listDirectory('/proc')).filter(name => /^\d+$/.test(name))
  const stats = await Promise.all(pids.map(pid => readText(`/proc/${pid}/stat`)))
  return stats
    .map((stat, at) => ({
      pid: Number(pids[at]),
      parent: Number(fields(stat)[1]),
      name: /\((.*)\)/s.exec(stat)?.[1] ?? '',
    }))
    .filter(({ name }) => name !== '')
}

/** The fields behind the name, which may contain anything; the first one is the state. */
function fields(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
