import { RuntimeError } from '#base/errors'
import type { CpuSpec, DeviceRuleSpec, MemorySpec, ResourcesSpec } from '#engine/oci/spec/types'
import type { api } from '#nri-proto'
import { given, toNumber, unwrap } from '../convert/values.ts'

type Message = api.LinuxResources.$Properties

/** The limits of a container with what plugins set. Errors: `unimplemented` and `invalid-argument` name the field. */
export function applyResources(resources: ResourcesSpec, wanted: Message): ResourcesSpec {
  refuse(wanted)
  const memory = given({ ...resources.memory, ...memoryOf(wanted) })
  const cpu = given({ ...resources.cpu, ...cpuOf(wanted) })
  const hugepages = wanted.hugepageLimits ?? []
  const replaced = new Set(hugepages.map(({ pageSize }) => pageSize))
  const hugepageLimits = [
    ...(resources.hugepageLimits ?? []).filter(({ pageSize }) => !replaced.has(pageSize)),
    ...hugepages.map(({ pageSize, limit }) => ({
      pageSize: pageSize ?? '',
      limit: toNumber(limit, `hugepage_limits[${pageSize ?? ''}]`),
    })),
  ]
  const unified = { ...resources.unified, ...wanted.unified }
  const pids = wanted.pids ? { limit: toNumber(wanted.pids.limit, 'pids.limit') } : resources.pids
  return {
    ...resources,
    devices: [...resources.devices, ...(wanted.devices ?? []).map(toDeviceRule)],
    ...(hasKeys(memory) ? { memory } : {}),
    ...(hasKeys(cpu) ? { cpu } : {}),
    ...(hugepageLimits.length > 0 ? { hugepageLimits } : {}),
    ...(hasKeys(unified) ? { unified } : {}),
    ...(pids ? { pids } : {}),
  }
}

function hasKeys(value: object): boolean {
  return Object.keys(value).length > 0
}

function refuse({ blockioClass, rdtClass, memory }: Message): void {
  const unknown = {
    blockio_class: blockioClass?.value,
    rdt_class: rdtClass?.value,
    'memory.kernel': memory?.kernel,
    'memory.use_hierarchy': memory?.useHierarchy,
  }
  const [field] = Object.entries(unknown).find(([, value]) => value) ?? []
  if (field !== undefined) {
    throw new RuntimeError(
      'unimplemented',
      `resources.${field} cannot be set: the OCI runtime knows nothing like it`,
    )
  }
}

function memoryOf({ memory }: Message): MemorySpec {
  return given({
    limit: unwrap(memory?.limit, 'memory.limit'),
    reservation: unwrap(memory?.reservation, 'memory.reservation'),
    swap: unwrap(memory?.swap, 'memory.swap'),
    kernelTCP: unwrap(memory?.kernelTcp, 'memory.kernel_tcp'),
    swappiness: unwrap(memory?.swappiness, 'memory.swappiness'),
    disableOOMKiller: memory?.disableOomKiller?.value ?? undefined,
  })
}

function cpuOf({ cpu }: Message): CpuSpec {
  return given({
    shares: unwrap(cpu?.shares, 'cpu.shares'),
    quota: unwrap(cpu?.quota, 'cpu.quota'),
    period: unwrap(cpu?.period, 'cpu.period'),
    realtimeRuntime: unwrap(cpu?.realtimeRuntime, 'cpu.realtime_runtime'),
    realtimePeriod: unwrap(cpu?.realtimePeriod, 'cpu.realtime_period'),
    cpus: cpu?.cpus || undefined,
    mems: cpu?.mems || undefined,
  })
}

function toDeviceRule(rule: api.LinuxDeviceCgroup.$Properties): DeviceRuleSpec {
  const type = rule.type ?? ''
  if (type !== '' && type !== 'a' && type !== 'b' && type !== 'c') {
    throw new RuntimeError('invalid-argument', `resources.devices: "${type}" is not a, b or c`)
  }
  return {
    allow: rule.allow ?? false,
    access: rule.access || 'rwm',
    ...(type === '' ? {} : { type }),
    ...given({
      major: unwrap(rule.major, 'resources.devices.major'),
      minor: unwrap(rule.minor, 'resources.devices.minor'),
    }),
  }
}
