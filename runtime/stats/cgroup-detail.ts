import type { CgroupLayout } from '../host/cgroups.ts'
import type { CgroupDetail, DeviceStats, HugepageStats } from '../model/stats.ts'
import type { ReadCgroupFile } from './cgroup-figures.ts'
import {
  bigintOf,
  type DeviceNumbers,
  parseBigint,
  parseBlkio,
  parseIoStat,
  parseLimit,
  parseNumber,
  valueOf,
} from './kernel-text.ts'

export interface DetailDeps {
  readonly layout: CgroupLayout
  /** As in file names: 2MB, 1GB. */
  readonly pageSizes: () => Promise<readonly string[]>
  /** Name of a block device, `8:0` → /dev/sda. */
  readonly deviceName: (device: string) => Promise<string>
}

/** What only metrics show of a cgroup; all 0 when it does not exist. */
export function readCgroupDetail(deps: DetailDeps, read: ReadCgroupFile): Promise<CgroupDetail> {
  return deps.layout.version === 2 ? unifiedDetail(deps, read) : legacyDetail(deps, read)
}

async function unifiedDetail(deps: DetailDeps, read: ReadCgroupFile): Promise<CgroupDetail> {
  const [cpu, stat, limit, swapLimit, min, peak, events, io, tasks, tasksLimit] = await Promise.all([
    read('cpu', 'cpu.stat'),
    read('memory', 'memory.stat'),
    read('memory', 'memory.max'),
    read('memory', 'memory.swap.max'),
    read('memory', 'memory.min'),
    read('memory', 'memory.peak'),
    read('memory', 'memory.events'),
    read('io', 'io.stat'),
    read('pids', 'pids.current'),
    read('pids', 'pids.max'),
  ])
  const { bytes, operations } = parseIoStat(io)
  return {
    cpu: {
      userNs: bigintOf(cpu, 'user_usec') * 1000n,
      systemNs: bigintOf(cpu, 'system_usec') * 1000n,
      periods: valueOf(cpu, 'nr_periods') ?? 0,
      throttledPeriods: valueOf(cpu, 'nr_throttled') ?? 0,
      throttledNs: bigintOf(cpu, 'throttled_usec') * 1000n,
    },
    memory: {
      limit: parseLimit(limit),
      swapLimit: parseLimit(swapLimit),
      reservation: parseLimit(min),
      cache: valueOf(stat, 'file') ?? 0,
      kernel: valueOf(stat, 'kernel') ?? 0,
      mappedFiles: valueOf(stat, 'file_mapped') ?? 0,
      maxUsage: parseNumber(peak),
      limitHits: valueOf(events, 'max') ?? 0,
    },
    devices: await deviceStats(deps, bytes, operations),
    hugepages: await readHugepages(deps, read, ['current', undefined]),
    tasks: parseNumber(tasks),
    tasksLimit: parseLimit(tasksLimit),
    oomKills: valueOf(events, 'oom_kill') ?? 0,
  }
}

async function legacyDetail(deps: DetailDeps, read: ReadCgroupFile): Promise<CgroupDetail> {
  const [cpu, memory, bytes, operations, tasks, tasksLimit, oom] = await Promise.all([
    legacyCpu(read),
    legacyMemory(read),
    read('blkio', 'blkio.throttle.io_service_bytes_recursive'),
    read('blkio', 'blkio.throttle.io_serviced_recursive'),
    read('pids', 'pids.current'),
    read('pids', 'pids.max'),
    read('memory', 'memory.oom_control'),
  ])
  return {
    cpu,
    memory,
    devices: await deviceStats(deps, parseBlkio(bytes), parseBlkio(operations)),
    hugepages: await readHugepages(deps, read, ['usage_in_bytes', 'max_usage_in_bytes']),
    tasks: parseNumber(tasks),
    tasksLimit: parseLimit(tasksLimit),
    oomKills: valueOf(oom, 'oom_kill') ?? 0,
  }
}

async function legacyCpu(read: ReadCgroupFile): Promise<CgroupDetail['cpu']> {
  const [user, system, stat] = await Promise.all([
    read('cpuacct', 'cpuacct.usage_user'),
    read('cpuacct', 'cpuacct.usage_sys'),
    read('cpu', 'cpu.stat'),
  ])
  return {
    userNs: parseBigint(user),
    systemNs: parseBigint(system),
    periods: valueOf(stat, 'nr_periods') ?? 0,
    throttledPeriods: valueOf(stat, 'nr_throttled') ?? 0,
    throttledNs: bigintOf(stat, 'throttled_time'),
  }
}

async function legacyMemory(read: ReadCgroupFile): Promise<CgroupDetail['memory']> {
  const [stat, limit, both, soft, kernel, maximum, failures] = await Promise.all([
    read('memory', 'memory.stat'),
    read('memory', 'memory.limit_in_bytes'),
    read('memory', 'memory.memsw.limit_in_bytes'),
    read('memory', 'memory.soft_limit_in_bytes'),
    read('memory', 'memory.kmem.usage_in_bytes'),
    read('memory', 'memory.max_usage_in_bytes'),
    read('memory', 'memory.failcnt'),
  ])
  return {
    limit: parseLimit(limit),
    swapLimit: parseLimit(both),
    reservation: parseLimit(soft),
    cache: valueOf(stat, 'total_cache') ?? 0,
    kernel: parseNumber(kernel),
    mappedFiles: valueOf(stat, 'total_mapped_file') ?? 0,
    maxUsage: parseNumber(maximum),
    limitHits: parseNumber(failures),
  }
}

async function deviceStats(
  { deviceName }: DetailDeps,
  bytes: DeviceNumbers,
  operations: DeviceNumbers,
): Promise<readonly DeviceStats[]> {
  const devices = [...new Set([...Object.keys(bytes), ...Object.keys(operations)])]
  return Promise.all(
    devices.map(async device => {
      const [major = 0, minor = 0] = device.split(':').map(Number)
      return {
        name: await deviceName(device),
        major,
        minor,
        bytes: bytes[device] ?? {},
        operations: operations[device] ?? {},
      }
    }),
  )
}

/** `names`: ends of the file names of the usage and of the largest usage so far. */
async function readHugepages(
  { layout, pageSizes }: DetailDeps,
  read: ReadCgroupFile,
  names: readonly [usage: string, maximum: string | undefined],
): Promise<readonly HugepageStats[]> {
  if (layout.controllers.hugetlb === undefined) return []
  return Promise.all(
    (await pageSizes()).map(async pageSize => {
      const [usage, maximum] = names
      return {
        pageSize,
        usage: parseNumber(await read('hugetlb', `hugetlb.${pageSize}.${usage}`)),
        maxUsage:
          maximum === undefined
            ? undefined
            : parseNumber(await read('hugetlb', `hugetlb.${pageSize}.${maximum}`)),
      }
    }),
  )
}
