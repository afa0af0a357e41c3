import { type Ctx, orAborted, throwIfAborted } from '#base/context'
import type { ContainerId } from '#base/ids'
import type { Host } from '#shim/host'
import type { RuntimeHandlerConfig } from '../engine-config.ts'
import { cgroupsPathFor, oomPath } from '../host/cgroup-paths.ts'
import type { HostFacts } from '../host/host-facts.ts'
import type { ContainerConfig, ContainerUser } from '../model/container.ts'
import type { Adjustment } from '../plugins/plugins.ts'
import { makeAnonymousVolumes } from './anonymous-volumes.ts'
import { writeBundle } from './bundle.ts'
import { applyEdits } from './cdi/apply-edits.ts'
import type { CdiDevices } from './cdi/cdi-devices.ts'
import { requestedDevices } from './cdi/device-name.ts'
import { containerDevices } from './container-devices.ts'
import { configuredHooks } from './hooks/configured-hooks.ts'
import { resolveHostPaths } from './host-paths.ts'
import { prepareVolumes } from './prepare-volumes.ts'
import { relabelVolumes } from './relabel-volumes.ts'
import { resolveUser } from './resolve-user.ts'
import { loadSeccompProfile, selectApparmorProfile } from './security-profiles.ts'
import { buildSpec } from './spec/build-spec.ts'
import { withHooks } from './spec/hooks.ts'
import { sortedMounts, withMountSources } from './spec/mounts.ts'
import { withinOwnLimits } from './spec/own-limits.ts'
import { selinuxLabels } from './spec/selinux.ts'
import type { SpecInput } from './spec/spec-input.ts'
import type { MountSpec, Spec } from './spec/types.ts'
import { effectiveStopSignal } from './stop-signal.ts'

export interface BundleDeps {
  readonly facts: HostFacts
  readonly host: Pick<Host, 'readInRoot' | 'bind' | 'copyFromRoot' | 'relabel'>
  /** Where the volumes of a container's image are made; goes with its root file system. */
  readonly anonymousVolumesPath: (id: ContainerId) => string
  /** Options of a runtime handler; "" is the default one. */
  readonly handlerOptions: (name: string) => RuntimeHandlerConfig
  readonly cdiDevices: CdiDevices
}

export interface BundleInput
  extends Pick<
    SpecInput,
    | 'id'
    | 'config'
    | 'pod'
    | 'podPaths'
    | 'hostname'
    | 'image'
    | 'imageName'
    /** Mounted root file system of the container. */
    | 'rootfsPath'
    /** Existing if a volume is prepared; the caller unmounts what is in it, also after a failure. */
    | 'volumesPath'
    /** Needed when config.security.namespaces.pid is `target`: pid of the target container's init. */
    | 'targetPid'
    /** What the OCI runtime can do (runtime-features.ts). */
    | 'hasRecursiveReadOnlyMounts'
  > {
  /** Existing directory; config.json is written into it. */
  readonly bundlePath: string
  /** The last word on the finished spec (runtime/plugins). */
  readonly adjust: (spec: Spec) => Promise<Adjustment>
}

export interface PreparedBundle {
  readonly user: ContainerUser
  /** Such as SIGTERM. */
  readonly stopSignal: string
  /** OCI linux.cgroupsPath. */
  readonly cgroupsPath: string
  /** For lighter-shim --oom-file; undefined if there is no memory controller. */
  readonly oomPath: string | undefined
}

/**
 * Does all I/O that a container's bundle needs and writes its config.json. Makes missing host paths of mounts;
 * these stay also when it fails, as volumes may be shared. Errors: `invalid-argument` and `unimplemented` name
 * the field of the container config, `failed-precondition` and `not-found` what the host lacks.
 */
export async function prepareBundle(ctx: Ctx, deps: BundleDeps, input: BundleInput): Promise<PreparedBundle> {
  const { config, pod } = input
  const { security } = config
  const { facts } = deps
  const handler = deps.handlerOptions(pod.runtimeHandler)
  const hasAllDevices = !handler.isPrivilegedWithoutHostDevices
  const stopSignal = effectiveStopSignal(config.stopSignal, input.image.stopSignal)
  const cgroupsPath = cgroupsPathFor(facts.cgroups, pod.config.cgroupParent, input.id)
  const [user, devices, localhostSeccomp, apparmorProfile] = await Promise.all([
    resolveUser(ctx, deps.host, { rootfsPath: input.rootfsPath, security, imageUser: input.image.user }),
    containerDevices(config, { hasAllDevices, hasDevicesOfUser: handler.hasDevicesOfUser }),
    loadSeccompProfile(security),
    selectApparmorProfile(security, facts),
  ])
  if (security.selinux && !facts.hasSelinux) {
    ctx.log.debug({ containerId: input.id }, 'selinux_options have no effect: this node has no SELinux')
  }
  const plainSpec = buildSpec({
    ...input,
    facts,
    user,
    cgroupsPath,
    devices,
    localhostSeccomp,
    apparmorProfile,
    hasAllDevices,
    allowedAnnotations: handler.allowedAnnotations,
  })
  const withDevices = await applyEdits(plainSpec, await deps.cdiDevices.edits(requestedDevices(config)))
  const spec = await addHooks(withDevices, handler, config)
  // Last, so that a config that is refused leaves no directories behind.
  throwIfAborted(ctx)
  const mounts = await prepareMounts(ctx, deps, { input, mounts: spec.mounts })
  const adjusted = await adjust(deps, input, { ...spec, mounts })
  await writeBundle(input.bundlePath, adjusted)
  const cgroups = adjusted.linux.cgroupsPath
  const { uid, gid, additionalGids: supplementalGroups } = adjusted.process.user
  return {
    user: { uid, gid, supplementalGroups },
    stopSignal,
    cgroupsPath: cgroups,
    oomPath: oomPath(facts.cgroups, cgroups),
  }
}

/** Everything on the host's side of the mounts. */
async function prepareMounts(
  ctx: Ctx,
  deps: BundleDeps,
  { input, mounts }: { readonly input: BundleInput; readonly mounts: readonly MountSpec[] },
): Promise<readonly MountSpec[]> {
  const { config, pod } = input
  const sources = await orAborted(ctx, resolveHostPaths(config.mounts)) // may hang on a dead network mount
  const directory = deps.anonymousVolumesPath(input.id)
  const volumes = await makeAnonymousVolumes(ctx, deps.host, { ...input, directory, mounts })
  const labels = selinuxLabels(config, pod, deps.facts)
  if (labels) {
    await relabelVolumes(ctx, deps.host, {
      mounts: config.mounts,
      sources,
      podPaths: input.podPaths,
      hasPodShm: pod.config.namespaces.ipc !== 'node',
      own: volumes.map(({ source }) => source),
      label: labels.mount,
    })
  }
  await prepareVolumes(ctx, deps.host, {
    mounts: config.mounts,
    pod,
    volumesPath: input.volumesPath,
    sources,
  })
  return sortedMounts([...withMountSources(mounts, sources), ...volumes])
}

/** Devices that a plugin adds are those that the container has not asked for itself. */
async function adjust(deps: BundleDeps, input: BundleInput, spec: Spec): Promise<Spec> {
  const { spec: adjusted, cdiDevices } = await input.adjust(spec)
  const own = requestedDevices(input.config)
  const added = requestedDevices(input.config, cdiDevices).filter(name => !own.includes(name))
  const edited = await applyEdits(adjusted, await deps.cdiDevices.edits(added))
  return { ...edited, process: withinOwnLimits(edited.process, deps.facts) }
}

async function addHooks(spec: Spec, handler: RuntimeHandlerConfig, config: ContainerConfig): Promise<Spec> {
  if (handler.hooksDir === '') return spec
  const hasBindMounts = config.mounts.length > 0
  return withHooks(spec, await configuredHooks(handler.hooksDir, { spec, hasBindMounts }))
}
