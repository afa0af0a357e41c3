import type { api } from '#nri-proto'
import type { FieldName, Owners } from './owners.ts'

type Message = api.LinuxResources.$Properties

/** Values that are one thing each: a field of the claims, and what of the message it stands for. */
const values: readonly (readonly [FieldName, (resources: Message) => unknown])[] = [
  ['MemLimit', ({ memory }) => memory?.limit],
  ['MemReservation', ({ memory }) => memory?.reservation],
  ['MemSwapLimit', ({ memory }) => memory?.swap],
  ['MemKernelLimit', ({ memory }) => memory?.kernel],
  ['MemTCPLimit', ({ memory }) => memory?.kernelTcp],
  ['MemSwappiness', ({ memory }) => memory?.swappiness],
  ['MemDisableOomKiller', ({ memory }) => memory?.disableOomKiller],
  ['MemUseHierarchy', ({ memory }) => memory?.useHierarchy],
  ['CPUShares', ({ cpu }) => cpu?.shares],
  ['CPUQuota', ({ cpu }) => cpu?.quota],
  ['CPUPeriod', ({ cpu }) => cpu?.period],
  ['CPURealtimeRuntime', ({ cpu }) => cpu?.realtimeRuntime],
  ['CPURealtimePeriod', ({ cpu }) => cpu?.realtimePeriod],
  ['CPUSetCPUs', ({ cpu }) => cpu?.cpus],
  ['CPUSetMems', ({ cpu }) => cpu?.mems],
  ['PidsLimit', ({ pids }) => pids],
  ['BlockioClass', ({ blockioClass }) => blockioClass],
  ['RdtClass', ({ rdtClass }) => rdtClass],
]

/** `current` with what the plugin sets. Errors: `failed-precondition` for what another plugin has set. */
export function mergeResources(
  current: Message,
  change: Message,
  { owners, plugin }: { readonly owners: Owners; readonly plugin: string },
): Message {
  for (const [field, value] of values) {
    if (value(change)) owners.claim(plugin, field)
  }
  for (const { pageSize } of change.hugepageLimits ?? []) {
    owners.claim(plugin, 'HugepageLimits', pageSize ?? '')
  }
  for (const key of Object.keys(change.unified ?? {})) owners.claim(plugin, 'CgroupsUnified', key)
  return overlay(current, change)
}

/** `base` with everything that `change` sets, nobody asked. */
export function overlay(base: Message, change: Message): Message {
  const hugepages = new Map(
    [...(base.hugepageLimits ?? []), ...(change.hugepageLimits ?? [])].map(limit => [limit.pageSize, limit]),
  )
  return {
    memory: { ...base.memory, ...present(change.memory) },
    cpu: { ...base.cpu, ...present(change.cpu) },
    hugepageLimits: [...hugepages.values()],
    unified: { ...base.unified, ...change.unified },
    devices: [...(base.devices ?? []), ...(change.devices ?? [])],
    pids: change.pids ?? base.pids ?? null,
    blockioClass: change.blockioClass ?? base.blockioClass ?? null,
    rdtClass: change.rdtClass ?? base.rdtClass ?? null,
  }
}

/** The fields that were sent: absent messages are null, absent texts empty. */
function present<Fields extends object>(fields: Fields | null | undefined): Partial<Fields> {
  return Object.fromEntries(
    Object.entries(fields ?? {}).filter(([, value]) => value !== null && value !== ''),
  ) as Partial<Fields>
}
