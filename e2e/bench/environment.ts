import { arch, cpus, loadavg, release, totalmem } from 'node:os'
import { readText } from '../harness/files.ts'
import { runProgram } from '../harness/program.ts'
import type { Subject } from './subjects/subject.ts'

/** What figures depend on, beside the runtimes. */
export interface Environment {
  readonly date: string
  readonly kernel: string
  readonly cpu: string
  readonly memoryGigabytes: number
  readonly cgroups: 'v1' | 'v2' | 'hybrid'
  readonly runc: string
  readonly node: string
  /** Of the last minute, before the bench began. */
  readonly loadBefore: number
  readonly subjects: Readonly<Record<string, string>>
}

export async function describeEnvironment(subjects: readonly Subject[]): Promise<Environment> {
  const [runc, mountinfo] = await Promise.all([
    runProgram(['runc', '--version']).catch(() => undefined),
    readText('/proc/self/mountinfo'),
  ])
  const processors = cpus()
  return {
    date: new Date().toISOString(),
    kernel: `${release()} ${arch()}`,
    cpu: `${processors.length} x ${processors[0]?.model ?? 'unknown'}`,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    cgroups: cgroupsOf(mountinfo),
    runc: runc?.stdout.split('\n')[0] ?? 'none',
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    subjects: Object.fromEntries(subjects.map(({ name, version }) => [name, version])),
  }
}

export function renderEnvironment(environment: Environment): string {
  const { subjects, date, kernel, cpu, memoryGigabytes, cgroups, runc, node, loadBefore } = environment
  const versions = Object.entries(subjects).map(([name, version]) => `${name} = ${version}`)
  return [
    `${date}; kernel ${kernel}; ${cpu}; ${memoryGigabytes} GB; cgroups ${cgroups}; ${runc}; node ${node}`,
    `load before: ${loadBefore.toFixed(2)}; ${versions.join('; ')}`,
  ].join('\n')
}

function cgroupsOf(mountinfo: string): Environment['cgroups'] {
  const [one, two] = [/ - cgroup /.test(mountinfo), / - cgroup2 /.test(mountinfo)]
  if (one && two) return 'hybrid'
  return two ? 'v2' : 'v1'
}
