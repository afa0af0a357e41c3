import { RuntimeError } from '#base/errors'
import type {
  DeviceSpec,
  HookSpec,
  HooksSpec,
  LinuxSpec,
  MountSpec,
  NamespaceSpec,
  ProcessSpec,
  RlimitSpec,
  Spec,
} from '#engine/oci/spec/types'
import type { api } from '#nri-proto'
import { given, toNumber, unwrap } from '../convert/values.ts'
import { type Adjustments, joinHooks } from './adjustments.ts'
import { applyResources } from './apply-resources.ts'
import { applyKeyed, applyToMap, type KeyedChanges } from './keyed.ts'
import { toSeccomp } from './seccomp.ts'

/**
 * The spec of a container with everything that plugins want. Pure. Errors: `unimplemented` for what the OCI runtime
 * would silently ignore, `invalid-argument` for what makes no sense; both name the field.
 */
export function applyAdjustments(spec: Spec, wanted: Adjustments): Spec {
  refuse(wanted)
  const mounts = applyKeyed(spec.mounts, mapItems(wanted.mounts, toMount), ({ destination }) => destination)
  const hooks = mergeHooks(spec.hooks, joinHooks(wanted.hooks))
  return {
    ...spec,
    annotations: applyToMap(spec.annotations, wanted.annotations),
    // What lies deeper is mounted later, whoever asked for it.
    mounts: wanted.mounts.size === 0 ? spec.mounts : [...mounts].sort((a, b) => depth(a) - depth(b)),
    process: adjustProcess(spec.process, wanted),
    linux: adjustLinux(spec.linux, wanted),
    ...(hooks ? { hooks } : {}),
  }
}

function refuse({ single }: Adjustments): void {
  const unknown = {
    io_priority: single.ioPriority,
    scheduler: single.scheduler,
    rdt: single.rdt,
    memory_policy: single.memoryPolicy,
    net_devices: single.netDevices,
  }
  const [field] = Object.entries(unknown).find(([, value]) => value) ?? []
  if (field !== undefined) {
    throw new RuntimeError('unimplemented', `linux.${field} cannot be set: the OCI runtime would ignore it`)
  }
}

function mapItems<From, To>(changes: KeyedChanges<From>, convert: (item: From) => To): KeyedChanges<To> {
  return new Map(
    [...changes].map(([key, { isRemoved, item }]) => [
      key,
      { isRemoved, item: item === undefined ? undefined : convert(item) },
    ]),
  )
}

function depth({ destination }: MountSpec): number {
  return destination.split('/').filter(part => part !== '').length
}

function toMount(mount: api.Mount.$Properties): MountSpec {
  const destination = mount.destination ?? ''
  if (!destination.startsWith('/')) {
    throw new RuntimeError('invalid-argument', `mounts: destination "${destination}" is not an absolute path`)
  }
  return {
    destination,
    type: mount.type || 'bind',
    source: mount.source ?? '',
    options: mount.options ?? [],
  }
}

function adjustProcess(process: ProcessSpec, wanted: Adjustments): ProcessSpec {
  const env = mapItems(wanted.env, ({ key, value }) => `${key ?? ''}=${value ?? ''}`)
  const rlimits = applyKeyed(process.rlimits ?? [], mapItems(wanted.rlimits, toRlimit), ({ type }) => type)
  const oomScoreAdj = unwrap(wanted.single.oomScoreAdj, 'linux.oom_score_adj')
  return {
    ...process,
    args: wanted.args.length > 0 ? wanted.args : process.args,
    env: applyKeyed(process.env, env, variable => variable.split('=', 1)[0] ?? ''),
    ...(rlimits.length > 0 ? { rlimits } : {}),
    ...given({ oomScoreAdj }),
  }
}

/** RLIM_INFINITY is 2^64 - 1, which JSON numbers cannot say: the largest whole number is as good as no limit. */
function toRlimit({ type, hard, soft }: api.POSIXRlimit.$Properties): RlimitSpec {
  const limit = (value: typeof hard): number => Math.min(value?.toNumber() ?? 0, Number.MAX_SAFE_INTEGER)
  return { type: type ?? '', hard: limit(hard), soft: limit(soft) }
}

function adjustLinux(linux: LinuxSpec, wanted: Adjustments): LinuxSpec {
  const devices = mapItems(wanted.devices, toDevice)
  const added = [...devices.values()].flatMap(({ item }) => (item ? [item] : []))
  const resources = applyResources(linux.resources, wanted.resources)
  const sysctl = applyToMap(linux.sysctl ?? {}, wanted.sysctl)
  const { cgroupsPath, seccompPolicy } = wanted.single
  return {
    ...linux,
    namespaces: applyKeyed(linux.namespaces, mapItems(wanted.namespaces, toNamespace), ({ type }) => type),
    devices: applyKeyed(linux.devices, devices, ({ path }) => path),
    resources: {
      ...resources,
      devices: [
        ...resources.devices,
        ...added.map(({ type, major, minor }) => ({ allow: true, type, major, minor, access: 'rwm' })),
      ],
    },
    cgroupsPath: cgroupsPath || linux.cgroupsPath,
    ...(Object.keys(sysctl).length > 0 ? { sysctl } : {}),
    ...(seccompPolicy ? { seccomp: toSeccomp(seccompPolicy) } : {}),
  }
}

function toDevice(device: api.LinuxDevice.$Properties): DeviceSpec {
  const { path, type } = device
  if (type !== 'b' && type !== 'c') {
    throw new RuntimeError(
      'invalid-argument',
      `linux.devices: the type of "${path ?? ''}" is neither b nor c`,
    )
  }
  return {
    path: path ?? '',
    type,
    major: toNumber(device.major, 'linux.devices.major'),
    minor: toNumber(device.minor, 'linux.devices.minor'),
    fileMode: device.fileMode?.value ?? 0o666,
    uid: device.uid?.value ?? 0,
    gid: device.gid?.value ?? 0,
  }
}

const namespaceTypes: ReadonlyMap<string, NamespaceSpec['type']> = new Map(
  (['mount', 'network', 'ipc', 'uts', 'pid', 'cgroup'] as const).map(type => [type, type]),
)

function toNamespace({ type, path }: api.LinuxNamespace.$Properties): NamespaceSpec {
  const known = namespaceTypes.get(type ?? '')
  if (!known) throw new RuntimeError('invalid-argument', `linux.namespaces: "${type ?? ''}" cannot be set`)
  return { type: known, ...(path ? { path } : {}) }
}

function mergeHooks(own: HooksSpec | undefined, more: api.Hooks.$Properties): HooksSpec | undefined {
  const hooks: HooksSpec = given({
    prestart: joined(own?.prestart, more.prestart),
    createRuntime: joined(own?.createRuntime, more.createRuntime),
    createContainer: joined(own?.createContainer, more.createContainer),
    startContainer: joined(own?.startContainer, more.startContainer),
    poststart: joined(own?.poststart, more.poststart),
    poststop: joined(own?.poststop, more.poststop),
  })
  return Object.keys(hooks).length > 0 ? hooks : undefined
}

function joined(
  own: readonly HookSpec[] | undefined,
  more: readonly api.Hook.$Properties[] | null | undefined,
): readonly HookSpec[] | undefined {
  const all = [...(own ?? []), ...(more ?? []).map(toHook)]
  return all.length > 0 ? all : undefined
}

function toHook({ path, args, env, timeout }: api.Hook.$Properties): HookSpec {
  if (!path?.startsWith('/')) {
    throw new RuntimeError('invalid-argument', `hooks: "${path ?? ''}" is not an absolute path`)
  }
  const seconds = unwrap(timeout, 'hooks.timeout')
  return { path, args: args ?? [], env: env ?? [], ...given({ timeout: seconds }) }
}
