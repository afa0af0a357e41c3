import { RuntimeError } from '#base/errors'
import type { CgroupLayout } from '../../host/cgroups.ts'
import type { LinuxResources } from '../../model/linux.ts'
import type { ContainerDeviceNode } from './spec-input.ts'
import type { CpuSpec, DeviceRuleSpec, ResourcesSpec } from './types.ts'

interface ResourcesInput {
  readonly resources: LinuxResources | undefined
  readonly hasAllDevices: boolean
  readonly devices: readonly ContainerDeviceNode[]
  readonly cgroups: CgroupLayout
}

/** cgroup settings of a container: limits that were set, and the device list, which denies by default. */
export function containerResources(input: ResourcesInput): ResourcesSpec {
  const devices = deviceRules(input)
  return input.resources ? { devices, ...limitsSpec(input.resources, input.cgroups) } : { devices }
}

/** The limits alone, of what is set. Errors: `invalid-argument` names the field, `failed-precondition` on v1. */
export function limitsSpec(wanted: LinuxResources, cgroups: CgroupLayout): Omit<ResourcesSpec, 'devices'> {
  checkValues(wanted)
  const memory = memoryLimits(wanted, cgroups)
  const cpu = cpuLimits(wanted)
  const hugepageLimits = hugepages(wanted, cgroups)
  const unified = unifiedKeys(wanted, cgroups)
  return {
    ...(memory ? { memory } : {}),
    ...(cpu ? { cpu } : {}),
    ...(hugepageLimits.length > 0 ? { hugepageLimits } : {}),
    ...(unified ? { unified } : {}),
  }
}

/** What the OCI runtime would refuse with a message that names no field. */
function checkValues(wanted: LinuxResources): void {
  const least = [
    ['cpu_period', wanted.cpuPeriodUs, 0],
    ['cpu_quota', wanted.cpuQuotaUs, -1],
    ['cpu_shares', wanted.cpuShares, 0],
    ['memory_limit_in_bytes', wanted.memoryLimitBytes, -1],
    ['memory_swap_limit_in_bytes', wanted.memorySwapLimitBytes, -1],
    ...wanted.hugepageLimits.map(
      ({ pageSize, limitBytes }) => [`hugepage_limits[${pageSize}]`, limitBytes, 0] as const,
    ),
  ] as const
  for (const [field, value, minimum] of least) {
    if (Number.isSafeInteger(value) && value >= minimum) continue
    throw new RuntimeError(
      'invalid-argument',
      `resources.${field}: ${value} is not an integer from ${minimum} up`,
    )
  }
  const page = wanted.hugepageLimits.find(({ pageSize }) => !/^[1-9]\d{0,8}[KMG]B$/.test(pageSize))
  if (page) {
    throw new RuntimeError(
      'invalid-argument',
      `resources.hugepage_limits: "${page.pageSize}" is not a page size such as 2MB`,
    )
  }
  for (const [field, value] of [
    ['cpuset_cpus', wanted.cpusetCpus],
    ['cpuset_mems', wanted.cpusetMems],
  ] as const) {
    if (!/^[\d,-]*$/.test(value)) {
      throw new RuntimeError('invalid-argument', `resources.${field}: "${value}" is not a list such as 0-3,5`)
    }
  }
}

/** The OCI runtime adds the rules for /dev/null and its kind itself. */
function deviceRules(input: ResourcesInput): readonly DeviceRuleSpec[] {
  if (input.hasAllDevices) return [{ allow: true, access: 'rwm' }]
  const rules: DeviceRuleSpec[] = [{ allow: false, access: 'rwm' }]
  for (const { node, access } of input.devices) {
    rules.push({ allow: true, type: node.type, major: node.major, minor: node.minor, access })
  }
  return rules
}

function memoryLimits(wanted: LinuxResources, cgroups: CgroupLayout): ResourcesSpec['memory'] {
  const limit = wanted.memoryLimitBytes
  // Without a swap limit of its own a container may not swap: its limit for both together is that for memory.
  const swap = wanted.memorySwapLimitBytes || (limit > 0 ? limit : 0)
  if (limit === 0 && swap === 0) return undefined
  return {
    ...(limit === 0 ? {} : { limit }),
    ...(swap === 0 || !cgroups.hasSwapAccounting ? {} : { swap }),
  }
}

function cpuLimits(wanted: LinuxResources): CpuSpec | undefined {
  const cpu: CpuSpec = {
    ...(wanted.cpuShares === 0 ? {} : { shares: wanted.cpuShares }),
    ...(wanted.cpuQuotaUs === 0 ? {} : { quota: wanted.cpuQuotaUs }),
    ...(wanted.cpuPeriodUs === 0 ? {} : { period: wanted.cpuPeriodUs }),
    ...(wanted.cpusetCpus === '' ? {} : { cpus: wanted.cpusetCpus }),
    ...(wanted.cpusetMems === '' ? {} : { mems: wanted.cpusetMems }),
  }
  return Object.keys(cpu).length > 0 ? cpu : undefined
}

/** The kubelet names every page size of every container, also where there is no controller for them. */
function hugepages(
  wanted: LinuxResources,
  cgroups: CgroupLayout,
): readonly { readonly pageSize: string; readonly limit: number }[] {
  if (cgroups.controllers.hugetlb === undefined) return []
  return wanted.hugepageLimits.map(({ pageSize, limitBytes }) => ({ pageSize, limit: limitBytes }))
}

function unifiedKeys(wanted: LinuxResources, cgroups: CgroupLayout): ResourcesSpec['unified'] {
  const keys = Object.keys(wanted.unified)
  if (keys.length === 0) return undefined
  if (cgroups.version !== 2) {
    throw new RuntimeError('failed-precondition', 'resources.unified needs cgroup v2, this node has v1')
  }
  const wrong = keys.find(key => !/^[a-z0-9_-]+(\.[A-Za-z0-9_-]+)+$/.test(key))
  if (wrong !== undefined) {
    throw new RuntimeError('invalid-argument', `resources.unified: "${wrong}" is not a cgroup v2 file name`)
  }
  return wanted.unified
}
