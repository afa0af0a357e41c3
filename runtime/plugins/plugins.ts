import type { Ctx } from '#base/context'
import type { ContainerId } from '#base/ids'
import type { Container } from '../model/container.ts'
import type { LinuxResources } from '../model/linux.ts'
import type { Pod } from '../model/pod.ts'
import type { NamespaceSpec, Spec } from '../oci/spec/types.ts'

/**
 * Extensions of the runtime that hear of what happens to pods and containers and may change containers: NRI plugins.
 * Each hook is called by the recipe of its operation and ends within a bounded time. What a plugin refuses fails the
 * operation, where that can be undone; a plugin that breaks never does.
 *
 * A plugin that joins finds everything that is there in the lists of PluginHost, and hears of all that comes after:
 * nothing is lost, nothing is told twice.
 */
export interface Plugins {
  /** After recovery, before the first request. */
  start(ctx: Ctx, host: PluginHost): Promise<void>
  stop(): Promise<void>

  /**
   * The pod has everything, and nobody sees it; `publish` shows it. When either fails the plugins that heard of the
   * pod also hear that it is gone, and the caller undoes it.
   */
  runPod(ctx: Ctx, pod: Pod, publish: () => Promise<void>): Promise<void>
  /** Before the change is recorded; may refuse it. */
  updatePod(ctx: Ctx, update: PodUpdate): Promise<void>
  podUpdated(ctx: Ctx, pod: Pod): Promise<void>
  /** Its containers have ended; network and namespaces are still there. Never fails. */
  stopPod(ctx: Ctx, pod: Pod): Promise<void>
  /** Its record is gone. Never fails. */
  removePod(ctx: Ctx, pod: Pod): Promise<void>

  /** Nobody sees the container yet. The caller says containerCreated() or containerAbandoned() after this. */
  createContainer(ctx: Ctx, creation: ContainerCreation): Promise<Adjustment>
  /** Never fails, as all that follow unless they say so. */
  containerCreated(ctx: Ctx, container: Container): Promise<void>
  /** It could not be made in the end: those who heard of it hear that it is gone. */
  containerAbandoned(ctx: Ctx, container: Container): Promise<void>
  /** Before the OCI runtime is called; may refuse. */
  startContainer(ctx: Ctx, container: Container): Promise<void>
  containerStarted(ctx: Ctx, container: Container): Promise<void>
  /** Answers the resources to set instead; may refuse. */
  updateContainer(ctx: Ctx, update: ContainerChange): Promise<LinuxResources>
  containerUpdated(ctx: Ctx, container: Container): Promise<void>
  /** It has ended, by itself or not; once for each that was started. */
  containerStopped(ctx: Ctx, container: Container): Promise<void>
  /** Its record is gone. */
  removeContainer(ctx: Ctx, container: Container): Promise<void>
}

export interface PodUpdate {
  readonly pod: Pod
  readonly overhead: LinuxResources | undefined
  readonly resources: LinuxResources | undefined
}

export interface ContainerCreation {
  readonly container: Container
  /** What would be written as config.json. */
  readonly spec: Spec
}

export interface ContainerChange {
  readonly container: Container
  readonly resources: LinuxResources
}

/** What a container becomes. */
export interface Adjustment {
  readonly spec: Spec
  /** CDI devices to add to it, by their full names. */
  readonly cdiDevices: readonly string[]
  /** Limits in it that plugins have set, as far as clients can know of them; undefined if there are none. */
  readonly resources: LinuxResources | undefined
}

/** What plugins may know and do. */
export interface PluginHost {
  /** Those that clients see, and those that are being removed. */
  pods(): readonly Pod[]
  containers(): readonly Container[]
  pod(id: string): Pod | undefined
  container(id: string): Container | undefined
  /** The namespaces that the pod keeps, by the files on which they are pinned. */
  namespaces(pod: Pod): readonly NamespaceSpec[]
  /** What is in the bundle of the container; undefined if there is none any more. */
  spec(id: ContainerId): Promise<Spec | undefined>
  /** Changes limits without asking plugins. Errors: as ContainerOperations.updateResources. */
  updateContainer(ctx: Ctx, change: ContainerChange): Promise<void>
  /** Stops a container that a plugin wants to go. */
  evict(ctx: Ctx, container: Container): Promise<void>
  /**
   * Starts a program with one end of a connection as fd 3; the other end is what connecting to `socketPath` gives.
   * Answers the pid. The caller ends it.
   */
  launch(ctx: Ctx, program: PluginProgram): Promise<number>
  /** SIGKILL, if the process still has this name; false if there is none. */
  kill(ctx: Ctx, process: { readonly pid: number; readonly name: string }): Promise<boolean>
}

export interface PluginProgram {
  /** Absolute. */
  readonly path: string
  readonly env: readonly string[]
  /** At most 107 bytes. */
  readonly socketPath: string
}
