import { cgroupDirectory } from '../host/cgroup-paths.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import type { CgroupStats, MemoryStats, SwapStats } from '../model/stats.ts'
import { bigintOf, parseBigint, parseLimit, parseNumber, parsePressure, valueOf } from './kernel-text.ts'

/** What one cgroup has used so far; all 0 when it does not exist. */
export type CgroupFigures = Omit<CgroupStats, 'timestampNs' | 'cpu'> & {
  readonly cpu: Omit<CgroupStats['cpu'], 'usageNanoCores'>
}

/** Text of a file of the cgroup, found by its controller; "" if there is none. */
export type ReadCgroupFile = (controller: string, name: string) => Promise<string>

/** A reader of the files of one cgroup; no cgroup ("") has no files. */
export function cgroupFiles(
  layout: CgroupLayout,
  cgroupsPath: string,
  read: (path: string) => Promise<string>,
): ReadCgroupFile {
  // Pressure is not a controller. It is measured on the v2 hierarchy only, which hybrid machines have, too.
  const roots = layout.unified === undefined ? {} : { pressure: layout.unified }
  const all = { ...layout, controllers: { ...layout.controllers, ...roots } }
  const directories = new Map<string, string | undefined>()
  return (controller, name) => {
    if (cgroupsPath === '') return Promise.resolve('')
    if (!directories.has(controller)) {
      directories.set(controller, cgroupDirectory(all, cgroupsPath, controller))
    }
    const directory = directories.get(controller)
    return directory === undefined ? Promise.resolve('') : read(`${directory}/${name}`)
  }
}

export function readCgroupFigures(layout: CgroupLayout, read: ReadCgroupFile): Promise<CgroupFigures> {
  return layout.version === 2 ? unifiedFigures(layout, read) : legacyFigures(layout, read)
}

async function unifiedFigures(layout: CgroupLayout, read: ReadCgroupFile): Promise<CgroupFigures> {
  const [cpu, usage, limit, stat, swapUsage, swapLimit] = await Promise.all([
    read('cpu', 'cpu.stat'),
    read('memory', 'memory.current'),
    read('memory', 'memory.max'),
    read('memory', 'memory.stat'),
    layout.hasSwapAccounting ? read('memory', 'memory.swap.current') : '',
    layout.hasSwapAccounting ? read('memory', 'memory.swap.max') : '',
  ])
  const pressure = await readPressure(read)
  const isSwapLimited = parseLimit(swapLimit) > 0 || /^0\s*$/.test(swapLimit)
  return {
    cpu: { usageNs: bigintOf(cpu, 'usage_usec') * 1000n, pressure: pressure.cpu },
    memory: memoryStats({
      usage: parseNumber(usage),
      limit: parseLimit(limit),
      inactive: valueOf(stat, 'inactive_file'),
      rss: valueOf(stat, 'anon'),
      faults: valueOf(stat, 'pgfault'),
      majorFaults: valueOf(stat, 'pgmajfault'),
      pressure: pressure.memory,
    }),
    swap: layout.hasSwapAccounting
      ? swapStats(parseNumber(swapUsage), isSwapLimited ? parseLimit(swapLimit) : undefined)
      : undefined,
    ioPressure: pressure.io,
  }
}

async function legacyFigures(layout: CgroupLayout, read: ReadCgroupFile): Promise<CgroupFigures> {
  const [cpu, usage, limit, stat, bothLimit] = await Promise.all([
    read('cpuacct', 'cpuacct.usage'),
    read('memory', 'memory.usage_in_bytes'),
    read('memory', 'memory.limit_in_bytes'),
    read('memory', 'memory.stat'),
    layout.hasSwapAccounting ? read('memory', 'memory.memsw.limit_in_bytes') : '',
  ])
  const pressure = await readPressure(read)
  const memoryLimit = parseLimit(limit)
  return {
    cpu: { usageNs: parseBigint(cpu), pressure: pressure.cpu },
    memory: memoryStats({
      usage: parseNumber(usage),
      limit: memoryLimit,
      inactive: valueOf(stat, 'total_inactive_file'),
      rss: valueOf(stat, 'total_rss'),
      faults: valueOf(stat, 'total_pgfault'),
      majorFaults: valueOf(stat, 'total_pgmajfault'),
      pressure: pressure.memory,
    }),
    swap: layout.hasSwapAccounting
      ? swapStats(valueOf(stat, 'total_swap') ?? 0, legacySwapLimit(memoryLimit, parseLimit(bothLimit)))
      : undefined,
    ioPressure: pressure.io,
  }
}

/** v1 limits memory and swap together. */
function legacySwapLimit(memory: number, both: number): number | undefined {
  return both === 0 || memory === 0 ? undefined : Math.max(0, both - memory)
}

function swapStats(usage: number, limit: number | undefined): SwapStats {
  return { usage, available: limit === undefined ? undefined : Math.max(0, limit - usage) }
}

async function readPressure(read: ReadCgroupFile): Promise<{
  readonly cpu: MemoryStats['pressure']
  readonly memory: MemoryStats['pressure']
  readonly io: MemoryStats['pressure']
}> {
  const [cpu, memory, io] = await Promise.all([
    read('pressure', 'cpu.pressure'),
    read('pressure', 'memory.pressure'),
    read('pressure', 'io.pressure'),
  ])
  return { cpu: parsePressure(cpu), memory: parsePressure(memory), io: parsePressure(io) }
}

interface MemoryFigures {
  readonly usage: number
  readonly limit: number
  readonly inactive: number | undefined
  readonly rss: number | undefined
  readonly faults: number | undefined
  readonly majorFaults: number | undefined
  readonly pressure: MemoryStats['pressure']
}

function memoryStats(figures: MemoryFigures): MemoryStats {
  const workingSet = Math.max(0, figures.usage - (figures.inactive ?? 0))
  return {
    usage: figures.usage,
    workingSet,
    rss: figures.rss ?? 0,
    available: figures.limit > 0 ? Math.max(0, figures.limit - workingSet) : undefined,
    pageFaults: figures.faults ?? 0,
    majorPageFaults: figures.majorFaults ?? 0,
    pressure: figures.pressure,
  }
}
