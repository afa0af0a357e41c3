import { readFile } from 'node:fs/promises'
import { errnoOf } from '#base/errors'
import { fileError } from '#base/files'
import { cgroupDirectory } from '../host/cgroup-paths.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import type { ContainerStats, MemoryStats } from '../model/stats.ts'

/** What one cgroup has used so far; all 0 when it does not exist. */
export type CgroupFigures = Pick<ContainerStats, 'cpuUsageNs' | 'memory' | 'pids'>

/** Without a limit v1 shows the largest multiple of the page size; no machine has this much. */
const unlimitedBytes = 2 ** 62

export async function readCgroupFigures(layout: CgroupLayout, cgroupsPath: string): Promise<CgroupFigures> {
  const fileOf = (controller: string, name: string): Promise<string> => {
    const directory = cgroupsPath === '' ? undefined : cgroupDirectory(layout, cgroupsPath, controller)
    return directory === undefined ? Promise.resolve('') : readOrEmpty(`${directory}/${name}`)
  }
  return layout.version === 2 ? unifiedFigures(fileOf) : legacyFigures(fileOf)
}

type ReadFile = (controller: string, name: string) => Promise<string>

async function unifiedFigures(read: ReadFile): Promise<CgroupFigures> {
  const [cpu, usage, limit, stat, pids] = await Promise.all([
    read('cpu', 'cpu.stat'),
    read('memory', 'memory.current'),
    read('memory', 'memory.max'),
    read('memory', 'memory.stat'),
    read('pids', 'pids.current'),
  ])
  const keys = parseKeys(stat)
  return {
    cpuUsageNs: BigInt(parseKeys(cpu).get('usage_usec') ?? 0) * 1000n,
    memory: memoryStats({
      usage: parseNumber(usage),
      limit: parseNumber(limit),
      inactive: keys.get('inactive_file'),
      rss: keys.get('anon'),
      faults: keys.get('pgfault'),
      majorFaults: keys.get('pgmajfault'),
    }),
    pids: parseNumber(pids),
  }
}

async function legacyFigures(read: ReadFile): Promise<CgroupFigures> {
  const [cpu, usage, limit, stat, pids] = await Promise.all([
    read('cpuacct', 'cpuacct.usage'),
    read('memory', 'memory.usage_in_bytes'),
    read('memory', 'memory.limit_in_bytes'),
    read('memory', 'memory.stat'),
    read('pids', 'pids.current'),
  ])
  const keys = parseKeys(stat)
  return {
    cpuUsageNs: /^\d+$/.test(cpu.trim()) ? BigInt(cpu.trim()) : 0n,
    memory: memoryStats({
      usage: parseNumber(usage),
      limit: parseNumber(limit),
      inactive: keys.get('total_inactive_file'),
      rss: keys.get('total_rss'),
      faults: keys.get('total_pgfault'),
      majorFaults: keys.get('total_pgmajfault'),
    }),
    pids: parseNumber(pids),
  }
}

interface MemoryFigures {
  readonly usage: number
  readonly limit: number
  readonly inactive: number | undefined
  readonly rss: number | undefined
  readonly faults: number | undefined
  readonly majorFaults: number | undefined
}

function memoryStats(figures: MemoryFigures): MemoryStats {
  const workingSet = Math.max(0, figures.usage - (figures.inactive ?? 0))
  const isLimited = figures.limit > 0 && figures.limit < unlimitedBytes
  return {
    usage: figures.usage,
    workingSet,
    rss: figures.rss ?? 0,
    available: isLimited ? Math.max(0, figures.limit - workingSet) : 0,
    pageFaults: figures.faults ?? 0,
    majorPageFaults: figures.majorFaults ?? 0,
  }
}

/** Lines `key value`. */
function parseKeys(text: string): ReadonlyMap<string, number> {
  const keys = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [key, value] = line.split(' ')
    if (key && value) keys.set(key, parseNumber(value))
  }
  return keys
}

/** 0 for `max` and for a file that is not there. */
function parseNumber(text: string): number {
  return /^\d+\s*$/.test(text) ? Number(text) : 0
}

/** A cgroup goes away when its container does: while it is being read, too (ENODEV). */
async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (err) {
    if (errnoOf(err) === 'ENOENT' || errnoOf(err) === 'ENODEV') return ''
    throw fileError(`cannot read ${path}`, err)
  }
}
