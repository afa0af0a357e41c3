import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import type { ContainerId, Ids } from '#base/ids'
import type { KeyedLock } from '#base/locks'
import type { Log } from '#base/log'
import type { Host } from '#shim/host'
import type { Shims } from '#shim/shim'
import type { EngineLimits, RuntimeHandlerConfig } from '../engine-config.ts'
import type { ImageStore } from '../images/image-store.ts'
import type { Container, ContainerConfig } from '../model/container.ts'
import type { LinuxResources } from '../model/linux.ts'
import type { Pod } from '../model/pod.ts'
import type { BundleInput, PreparedBundle } from '../oci/prepare-bundle.ts'
import type { RuntimeFeatures } from '../oci/runtime-features.ts'
import type { ResourcesSpec } from '../oci/spec/types.ts'
import type { BundleUpdate } from '../oci/update-bundle.ts'
import type { Plugins } from '../plugins/plugins.ts'
import type { MakeOnce } from '../state/make-once.ts'
import type { Names } from '../state/names.ts'
import type { Paths } from '../state/paths.ts'
import type { Table } from '../state/table.ts'
import type { CheckpointSource } from './checkpoint-source.ts'
import type { Execs } from './execs.ts'
import type { Supervisor } from './supervisor.ts'

/** What the operations on containers are made of. */
export interface ContainerDeps {
  readonly table: Table<Container>
  readonly pods: Table<Pod>
  readonly names: Names
  /** One container, one operation at a time; waiting for an exit holds no lock. */
  readonly locks: KeyedLock
  readonly makeOnce: MakeOnce<ContainerId>
  readonly host: Host
  readonly shims: Shims
  readonly supervisor: Supervisor
  readonly execs: Execs
  readonly images: Pick<ImageStore, 'find' | 'rootfs'>
  readonly bundles: Bundles
  readonly runtimes: OciRuntimes
  readonly plugins: Plugins
  readonly checkpoints: CheckpointSource
  readonly paths: Paths
  readonly limits: EngineLimits
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
}

/** Writes bundles (runtime/oci). */
export interface Bundles {
  prepare(ctx: Ctx, input: BundleInput): Promise<PreparedBundle>
  /** SELinux label of a container's files; undefined where it has none. */
  mountLabel(config: ContainerConfig, pod: Pod): string | undefined
  /** What updateResources would put into the bundle. */
  plannedResources(update: BundleUpdate): Promise<ResourcesSpec>
  /** Puts other limits into the bundle of a container. */
  updateResources(update: BundleUpdate): Promise<void>
}

/** The OCI runtime of a handler, and the control groups that it makes. */
export interface OciRuntimes {
  /** What the configuration says of a handler. Errors: `not-found` if it says nothing. */
  options(handler: string): RuntimeHandlerConfig
  /** Errors: `not-found` if the handler is not configured, `failed-precondition` if it cannot be used here. */
  find(ctx: Ctx, handler: string): Promise<RuntimeFeatures>
  /** `runc delete --force`; absent is fine. */
  delete(ctx: Ctx, input: { readonly handler: string; readonly id: ContainerId }): Promise<void>
  /** Changes the control group of a running container. Errors: `failed-precondition` with the reason. */
  update(ctx: Ctx, input: ResourcesUpdate): Promise<void>
  readonly hasSystemdCgroup: boolean
  /** Directories of a container's control groups, one per hierarchy. */
  cgroups(cgroupsPath: string): readonly string[]
  /** File that counts OOM kills in a container's cgroup; undefined without a memory controller. */
  oomPath(cgroupsPath: string): string | undefined
}

export interface ResourcesUpdate {
  readonly handler: string
  readonly id: ContainerId
  readonly cgroupsPath: string
  /** All limits, not only what changes. */
  readonly resources: ResourcesSpec
  /** Those that change; not among what an OCI runtime updates. */
  readonly hugepageLimits: LinuxResources['hugepageLimits']
}

/** Limits of container operations. */
export const containerLimits = {
  /** Making a container, after its caller may have left. */
  createTimeoutMs: 120_000,
  /** Making one from a checkpoint, which may hold a lot of memory. */
  restoreTimeoutMs: 600_000,
  /** From SIGKILL to the recorded exit; beyond it the process is stuck in the kernel. */
  killTimeoutMs: 30_000,
  removeTimeoutMs: 120_000,
  /** A shim that has told the exit deletes the container and goes within this time, else it is helped. */
  shimGoneMs: 10_000,
} as const
