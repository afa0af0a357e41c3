import type { api } from '#nri-proto'
import { type KeyedChanges, mergeKeyed, toEntries, toMap } from './keyed.ts'
import { mergeResources } from './merge-resources.ts'
import type { FieldName, Owners } from './owners.ts'

type Linux = api.LinuxContainerAdjustment.$Properties

/** What all plugins together want of a container that is being made. */
export interface Adjustments {
  readonly annotations: KeyedChanges<string>
  readonly mounts: KeyedChanges<api.Mount.$Properties>
  readonly env: KeyedChanges<api.KeyValue.$Properties>
  readonly devices: KeyedChanges<api.LinuxDevice.$Properties>
  readonly namespaces: KeyedChanges<api.LinuxNamespace.$Properties>
  readonly sysctl: KeyedChanges<string>
  readonly rlimits: KeyedChanges<api.POSIXRlimit.$Properties>
  /** Empty: as they were. */
  readonly args: readonly string[]
  readonly hooks: readonly api.Hooks.$Properties[]
  readonly cdiDevices: readonly string[]
  readonly resources: api.LinuxResources.$Properties
  /** Values of which there is one. */
  readonly single: Pick<Linux, SingleKey>
}

type SingleKey = (typeof singles)[number][1]

const singles = [
  ['CgroupsPath', 'cgroupsPath'],
  ['OomScoreAdj', 'oomScoreAdj'],
  ['IoPriority', 'ioPriority'],
  ['SeccompPolicy', 'seccompPolicy'],
  ['LinuxSched', 'scheduler'],
  ['RdtClosID', 'rdt'],
  ['MemoryPolicy', 'memoryPolicy'],
  ['LinuxNetDevices', 'netDevices'],
] as const satisfies readonly (readonly [FieldName, keyof Linux])[]

export const noAdjustments: Adjustments = {
  annotations: new Map(),
  mounts: new Map(),
  env: new Map(),
  devices: new Map(),
  namespaces: new Map(),
  sysctl: new Map(),
  rlimits: new Map(),
  args: [],
  hooks: [],
  cdiDevices: [],
  resources: {},
  single: {},
}

export interface Claimant {
  readonly plugin: string
  readonly owners: Owners
}

/** Adds what one more plugin wants. Errors: `failed-precondition` where two plugins want different things. */
export function mergeAdjustment(
  current: Adjustments,
  wanted: api.ContainerAdjustment.$Properties,
  by: Claimant,
): Adjustments {
  const linux = wanted.linux ?? {}
  const cdiDevices = (wanted.CDIDevices ?? []).map(({ name }) => name ?? '')
  for (const name of cdiDevices) by.owners.claim(by.plugin, 'CdiDevices', name)
  return {
    annotations: mergeKeyed(current.annotations, {
      ...by,
      field: 'Annotations',
      entries: Object.entries(wanted.annotations ?? {}),
    }),
    mounts: mergeKeyed(current.mounts, {
      ...by,
      field: 'Mounts',
      entries: keyed(wanted.mounts, mount => mount.destination),
    }),
    env: mergeKeyed(current.env, { ...by, field: 'Env', entries: keyed(wanted.env, ({ key }) => key) }),
    devices: mergeKeyed(current.devices, {
      ...by,
      field: 'Devices',
      entries: keyed(linux.devices, ({ path }) => path),
    }),
    namespaces: mergeKeyed(current.namespaces, {
      ...by,
      field: 'Namespace',
      entries: keyed(linux.namespaces, ({ type }) => type),
    }),
    sysctl: mergeKeyed(current.sysctl, {
      ...by,
      field: 'Sysctl',
      entries: Object.entries(linux.sysctl ?? {}),
    }),
    rlimits: mergeKeyed(current.rlimits, {
      ...by,
      field: 'Rlimits',
      entries: keyed(wanted.rlimits, ({ type }) => type),
    }),
    args: mergeArgs(current.args, wanted.args ?? [], by),
    hooks: mergeHooks(current.hooks, wanted.hooks, by),
    cdiDevices: [...current.cdiDevices, ...cdiDevices],
    resources: linux.resources ? mergeResources(current.resources, linux.resources, by) : current.resources,
    single: { ...current.single, ...singleValues(linux, by) },
  }
}

function keyed<Item>(
  items: readonly Item[] | null | undefined,
  keyOf: (item: Item) => string | null | undefined,
): readonly (readonly [string, Item])[] {
  return (items ?? []).map(item => [keyOf(item) ?? '', item])
}

/** An empty first argument means: whatever another plugin has set. */
function mergeArgs(
  current: readonly string[],
  wanted: readonly string[],
  { plugin, owners }: Claimant,
): readonly string[] {
  if (wanted.length === 0) return current
  const [first, ...rest] = wanted
  if (first === '') owners.release('Args')
  owners.claim(plugin, 'Args')
  return first === '' ? rest : wanted
}

function mergeHooks(
  current: readonly api.Hooks.$Properties[],
  wanted: api.Hooks.$Properties | null | undefined,
  { plugin, owners }: Claimant,
): readonly api.Hooks.$Properties[] {
  if (!wanted) return current
  owners.note(plugin, 'OciHooks')
  return [...current, wanted]
}

function singleValues(linux: Linux, { plugin, owners }: Claimant): Pick<Linux, SingleKey> {
  const isSet = (value: unknown): boolean =>
    value !== null && value !== undefined && value !== '' && JSON.stringify(value) !== '{}'
  const set = singles.filter(([, key]) => isSet(linux[key]))
  for (const [field] of set) owners.claim(plugin, field)
  return Object.fromEntries(set.map(([, key]) => [key, linux[key]]))
}

/** All of it as one message, for plugins that check what the others want. */
export function toMessage(adjustments: Adjustments): api.ContainerAdjustment.$Properties {
  return {
    annotations: toMap(adjustments.annotations),
    mounts: [...toEntries(adjustments.mounts, destination => ({ destination }))],
    env: [...toEntries(adjustments.env, key => ({ key }))],
    rlimits: [...toEntries(adjustments.rlimits, type => ({ type }))],
    args: [...adjustments.args],
    hooks: joinHooks(adjustments.hooks),
    CDIDevices: adjustments.cdiDevices.map(name => ({ name })),
    linux: {
      devices: [...toEntries(adjustments.devices, path => ({ path }))],
      namespaces: [...toEntries(adjustments.namespaces, type => ({ type }))],
      sysctl: toMap(adjustments.sysctl),
      resources: adjustments.resources,
      ...adjustments.single,
    },
  }
}

type HookPoint = Exclude<keyof api.Hooks.$Properties, '$unknowns'>

/** Hooks of all plugins, in the order in which they were asked. */
export function joinHooks(hooks: readonly api.Hooks.$Properties[]): api.Hooks.$Properties {
  const all = (at: HookPoint): api.Hook.$Properties[] => hooks.flatMap(one => one[at] ?? [])
  return {
    prestart: all('prestart'),
    createRuntime: all('createRuntime'),
    createContainer: all('createContainer'),
    startContainer: all('startContainer'),
    poststart: all('poststart'),
    poststop: all('poststop'),
  }
}
