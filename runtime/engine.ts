import type { Ctx } from '#base/context'
import type { ContainerId, PodId } from '#base/ids'
import type { CheckpointOperations } from './model/checkpoint.ts'
import type { Container, ContainerConfig, ContainerPhase } from './model/container.ts'
import type { EventOperations } from './model/event.ts'
import type { Image, ImageId, RegistryAuth, StoreUsage } from './model/image.ts'
import type { LinuxResources } from './model/linux.ts'
import type { ObservedObject } from './model/observer.ts'
import type { Owner, Pod, PodConfig, PodPhase } from './model/pod.ts'
import type { SessionOperations } from './model/session.ts'
import type { ContainerStats, PodMetrics, PodStats } from './model/stats.ts'

/**
 * What the doors see: everything lighter can do, in its own terms. Every object belongs to the owner space that
 * the engine view was made for; others are invisible through it.
 */
export interface Engine {
  readonly pods: PodOperations
  readonly containers: ContainerOperations
  readonly images: ImageOperations
  readonly stats: StatsOperations
  readonly node: NodeOperations
  readonly sessions: SessionOperations
  readonly events: EventOperations
  readonly checkpoints: CheckpointOperations
}

/** Ids given by clients may be unique prefixes: no match is `not-found`, several are `invalid-argument`. */
export interface PodOperations {
  run(ctx: Ctx, input: { readonly config: PodConfig; readonly runtimeHandler: string }): Promise<PodId>
  /** Idempotent; an unknown id succeeds. */
  stop(ctx: Ctx, id: string): Promise<void>
  /** Idempotent; stops first; an unknown id succeeds. */
  remove(ctx: Ctx, id: string): Promise<void>
  get(id: string): Pod
  /** Never waits for anything. */
  list(filter: PodFilter): readonly Pod[]
  /** Notes what the kubelet gave the pod's own cgroup (CRI UpdatePodSandboxResources); changes no cgroup. */
  updateResources(ctx: Ctx, input: PodResourcesInput): Promise<void>
}

export interface PodResourcesInput {
  readonly id: string
  readonly overhead: LinuxResources | undefined
  readonly resources: LinuxResources | undefined
}

export interface PodFilter {
  /** Prefix of an id; undefined: all. No match is an empty list. */
  readonly id?: string
  readonly isReady?: boolean
  readonly labels?: Readonly<Record<string, string>>
}

export interface ContainerOperations {
  create(ctx: Ctx, input: { readonly podId: string; readonly config: ContainerConfig }): Promise<ContainerId>
  start(ctx: Ctx, id: string): Promise<void>
  /** Idempotent; an unknown id succeeds. A second call with a shorter time-out takes effect. */
  stop(ctx: Ctx, input: { readonly id: string; readonly timeoutMs: number }): Promise<void>
  /** Idempotent; kills first; an unknown id succeeds. */
  remove(ctx: Ctx, id: string): Promise<void>
  get(id: string): Container
  /** Never waits for anything. */
  list(filter: ContainerFilter): readonly Container[]
  /** timeoutMs 0: none. Output is cut at 16 MiB per stream. Errors: `deadline-exceeded` after the time-out. */
  execSync(ctx: Ctx, input: ExecSyncInput): Promise<ExecSyncResult>
  reopenLog(ctx: Ctx, id: string): Promise<void>
  /**
   * Changes the limits of a created or running container; what is 0, "" or empty stays as it is. Kept for as long
   * as the container is. Errors: `failed-precondition` in other phases, or with the kernel's reason.
   */
  updateResources(ctx: Ctx, input: ContainerResourcesInput): Promise<void>
}

export interface ContainerResourcesInput {
  readonly id: string
  readonly resources: LinuxResources
}

export interface ContainerFilter {
  readonly id?: string
  readonly podId?: string
  readonly phases?: readonly Container['phase'][]
  readonly labels?: Readonly<Record<string, string>>
}

export interface ExecSyncInput {
  readonly id: string
  readonly command: readonly string[]
  readonly timeoutMs: number
}

export interface ExecSyncResult {
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly exitCode: number
}

export interface ImageOperations {
  /** Same image asked for twice at once: pulled once. Answers the image id. */
  pull(
    ctx: Ctx,
    input: { readonly reference: string; readonly auth: RegistryAuth | undefined },
  ): Promise<ImageId>
  /** By id, id prefix, tag or digest; undefined if absent. */
  find(reference: string): Image | undefined
  /** All, or the one that the reference names. */
  list(reference?: string): readonly Image[]
  /** By any name or id: removes the image with all its names. Absent is fine. */
  remove(ctx: Ctx, reference: string): Promise<void>
  /** Answers at once, from a figure that is kept up to date. */
  usage(): StoreUsage
}

export interface StatsOperations {
  container(ctx: Ctx, id: string): Promise<ContainerStats>
  /** Without an id or a phase in the filter: those that are created or running. */
  containers(ctx: Ctx, filter: ContainerFilter): Promise<readonly ContainerStats[]>
  pod(ctx: Ctx, id: string): Promise<PodStats>
  /** Without an id or a state in the filter: those that are ready. */
  pods(ctx: Ctx, filter: PodFilter): Promise<readonly PodStats[]>
  /** Of all ready pods. */
  metrics(ctx: Ctx): Promise<readonly PodMetrics[]>
}

export interface NodeOperations {
  status(ctx: Ctx): Promise<NodeStatus>
  /** For people and metrics, over all owners. Answers at once. */
  activity(): NodeActivity
}

/** Counts of what happened are since the start of the daemon. */
export interface NodeActivity {
  readonly pods: Readonly<Record<PodPhase, number>>
  readonly containers: Readonly<Record<ContainerPhase, number>>
  /** Shims that the daemon is connected to. */
  readonly shims: number
  /** Pods whose network could not be released, and is tried again. */
  readonly networksToRelease: number
  /** Identical Run and Create calls that joined one that was running. */
  readonly retriesJoined: number
  /** Those that got what had been made when its caller had left. */
  readonly retriesAdopted: number
  /** Events that slow readers lost. */
  readonly eventsDropped: number
  /** Every object that something is done to, or whose undo failed, with the step. */
  readonly stages: readonly ObjectStage[]
}

export interface ObjectStage {
  readonly object: ObservedObject
  readonly id: string
  readonly phase: string
  readonly stage: string
  /** How long it has been in the stage. */
  readonly ageMs: number
}

export interface NodeCondition {
  readonly isTrue: boolean
  /** CamelCase word; "" when true. */
  readonly reason: string
  readonly message: string
}

export interface NodeStatus {
  readonly runtime: NodeCondition
  readonly network: NodeCondition
  /** False when a configured handler cannot be used; the message says which and why. */
  readonly handlersUsable: NodeCondition
  readonly cgroupDriver: 'cgroupfs' | 'systemd'
  /** Sorted by name; "" is the default one. */
  readonly handlers: readonly RuntimeHandlerStatus[]
  readonly hasSupplementalGroupsPolicy: boolean
}

export interface RuntimeHandlerStatus {
  readonly name: string
  readonly hasRecursiveReadOnlyMounts: boolean
  readonly hasUserNamespaces: boolean
}

/**
 * The engine with its life time: claim() before any door opens, so that a second daemon on the same directories
 * disturbs nothing; start() recovers what a former daemon left; stop() leaves containers running.
 */
export interface EngineService {
  /** Takes the root and state directories. Errors: `failed-precondition` when another daemon has them. */
  claim(): Promise<void>
  start(ctx: Ctx): Promise<void>
  stop(): Promise<void>
  /** False until start() has finished. */
  isReady(): boolean
  /** May be taken at any time; what it offers fails with `unavailable` before start(). */
  as(owner: Owner): Engine
}
