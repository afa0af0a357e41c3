import Long from 'long'
import { RuntimeError } from '#base/errors'
import type { LinuxResources } from '#engine/model/linux'
import type { DeviceRuleSpec, ResourcesSpec } from '#engine/oci/spec/types'
import type { api } from '#nri-proto'
import { toNumber, unwrap, wrap, wrapUnsigned } from './values.ts'

type Message = api.LinuxResources.$Properties

/** What a client asked for; 0 and "" mean that nothing was. */
export function fromResources(resources: LinuxResources): Message {
  const set = (value: number): number | undefined => (value === 0 ? undefined : value)
  return {
    memory: {
      limit: wrap(set(resources.memoryLimitBytes)),
      swap: wrap(set(resources.memorySwapLimitBytes)),
    },
    cpu: {
      shares: wrapUnsigned(set(resources.cpuShares)),
      quota: wrap(set(resources.cpuQuotaUs)),
      period: wrapUnsigned(set(resources.cpuPeriodUs)),
      cpus: resources.cpusetCpus,
      mems: resources.cpusetMems,
    },
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limitBytes }) => ({
      pageSize,
      limit: Long.fromNumber(limitBytes, true),
    })),
    unified: resources.unified,
  }
}

/** What a plugin wants for a container that exists. Errors: `unimplemented` names what cannot be changed later. */
export function toResources(message: Message): LinuxResources {
  refuseForUpdates(message)
  return clientResources(message)
}

/** The part of it that clients can set, too. */
export function clientResources(message: Message): LinuxResources {
  const { memory, cpu } = message
  return {
    cpuPeriodUs: unwrap(cpu?.period, 'cpu.period') ?? 0,
    cpuQuotaUs: unwrap(cpu?.quota, 'cpu.quota') ?? 0,
    cpuShares: unwrap(cpu?.shares, 'cpu.shares') ?? 0,
    memoryLimitBytes: unwrap(memory?.limit, 'memory.limit') ?? 0,
    memorySwapLimitBytes: unwrap(memory?.swap, 'memory.swap') ?? 0,
    oomScoreAdj: 0,
    cpusetCpus: cpu?.cpus ?? '',
    cpusetMems: cpu?.mems ?? '',
    hugepageLimits: (message.hugepageLimits ?? []).map(({ pageSize, limit }) => ({
      pageSize: pageSize ?? '',
      limitBytes: toNumber(limit, `hugepage_limits[${pageSize ?? ''}]`),
    })),
    unified: message.unified ?? {},
  }
}

function refuseForUpdates({ memory, cpu, pids, devices, blockioClass, rdtClass }: Message): void {
  const fixed = {
    'memory.reservation': memory?.reservation,
    'memory.kernel': memory?.kernel,
    'memory.kernel_tcp': memory?.kernelTcp,
    'memory.swappiness': memory?.swappiness,
    'memory.disable_oom_killer': memory?.disableOomKiller,
    'memory.use_hierarchy': memory?.useHierarchy,
    'cpu.realtime_runtime': cpu?.realtimeRuntime,
    'cpu.realtime_period': cpu?.realtimePeriod,
    pids,
    devices: devices?.length ? devices : undefined,
    blockio_class: blockioClass,
    rdt_class: rdtClass,
  }
  const [wrong] = Object.entries(fixed).find(([, value]) => value !== undefined && value !== null) ?? []
  if (wrong !== undefined) {
    throw new RuntimeError('unimplemented', `resources.${wrong} of an existing container cannot be changed`)
  }
}

/** What config.json says. */
export function fromSpecResources(resources: ResourcesSpec): Message {
  const { memory, cpu, pids } = resources
  return {
    memory: {
      limit: wrap(memory?.limit),
      reservation: wrap(memory?.reservation),
      swap: wrap(memory?.swap),
      kernelTcp: wrap(memory?.kernelTCP),
      swappiness: wrapUnsigned(memory?.swappiness),
      disableOomKiller: memory?.disableOOMKiller === undefined ? null : { value: memory.disableOOMKiller },
    },
    cpu: {
      shares: wrapUnsigned(cpu?.shares),
      quota: wrap(cpu?.quota),
      period: wrapUnsigned(cpu?.period),
      realtimeRuntime: wrap(cpu?.realtimeRuntime),
      realtimePeriod: wrapUnsigned(cpu?.realtimePeriod),
      cpus: cpu?.cpus ?? '',
      mems: cpu?.mems ?? '',
    },
    hugepageLimits: (resources.hugepageLimits ?? []).map(({ pageSize, limit }) => ({
      pageSize,
      limit: Long.fromNumber(limit, true),
    })),
    unified: resources.unified ?? {},
    devices: resources.devices.map(fromDeviceRule),
    pids: pids ? { limit: Long.fromNumber(pids.limit) } : null,
  }
}

function fromDeviceRule(rule: DeviceRuleSpec): api.LinuxDeviceCgroup.$Properties {
  return {
    allow: rule.allow,
    type: rule.type ?? 'a',
    major: wrap(rule.major),
    minor: wrap(rule.minor),
    access: rule.access,
  }
}
