import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ctx, detached } from '#base/context'
import { errnoOf, isKind, messageOf } from '#base/errors'
import { fileError, pathExists } from '#base/files'
import type { ContainerId } from '#base/ids'
import type { Network } from '#cni/network'
import type { Host } from '#shim/host'
import type { ReadExitFile, ShimState, Shims } from '#shim/shim'
import { readMounts } from '../host/mountinfo.ts'
import type { ImageStore } from '../images/image-store.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import type { Paths } from '../state/paths.ts'

/** What disk, kernel and shims say at start; nothing in it is an opinion. */
export interface Observation {
  readonly pods: readonly ObservedPod[]
  readonly containers: readonly ObservedContainer[]
  /** Things that carry the name of an object that has no record. */
  readonly strays: Strays
}

export interface ObservedPod {
  readonly pod: Pod
  /** Its directory, its pinned namespaces and its pause process are all there. */
  readonly isAlive: boolean
}

export interface ObservedContainer {
  readonly container: Container
  readonly hasPod: boolean
  /** What its shim or its exit file says; undefined: neither is there. */
  readonly state: ShimState | undefined
  /** Its shim can be talked to. */
  readonly hasShim: boolean
  readonly hasBundle: boolean
  /** The OCI runtime keeps something of it: it has begun to make the container. */
  readonly hasRuntimeState: boolean
}

export interface Strays {
  readonly podDirectories: readonly string[]
  readonly containerDirectories: readonly string[]
  readonly sockets: readonly string[]
  readonly rootfsKeys: readonly string[]
  readonly networks: readonly string[]
}

export interface ObserveDeps {
  readonly pods: readonly Pod[]
  readonly containers: readonly Container[]
  readonly paths: Paths
  readonly host: Pick<Host, 'killProcess'>
  readonly shims: Pick<Shims, 'watch'>
  readonly readExitFile: ReadExitFile
  readonly rootfs: Pick<ImageStore['rootfs'], 'keys'>
  readonly network: Pick<Network, 'attachedIds'>
}

/** A shim answers within a moment, unless its OCI runtime is just starting the container. */
const shimAnswerMs = 30_000

export async function observe(ctx: Ctx, deps: ObserveDeps): Promise<Observation> {
  const mounts = new Set((await readMounts()).map(mount => mount.mountPoint))
  const podIds = new Set<string>(deps.pods.map(pod => pod.id))
  const [pods, containers, strays] = await Promise.all([
    Promise.all(deps.pods.map(async pod => ({ pod, isAlive: await isPodAlive(ctx, deps, { pod, mounts }) }))),
    Promise.all(
      deps.containers.map(one =>
        observeContainer(ctx, deps, { container: one, hasPod: podIds.has(one.podId) }),
      ),
    ),
    findStrays(deps, podIds),
  ])
  return { pods, containers, strays }
}

async function isPodAlive(
  ctx: Ctx,
  deps: ObserveDeps,
  { pod, mounts }: { readonly pod: Pod; readonly mounts: ReadonlySet<string> },
): Promise<boolean> {
  const paths = deps.paths.pod(pod.id)
  const { network, ipc, pid, user } = pod.config.namespaces
  const pins = [
    ...(network === 'pod' ? [paths.network, paths.uts] : []),
    ...(ipc === 'pod' ? [paths.ipc, paths.shm] : []),
    ...(pid === 'pod' ? [paths.pid] : []),
    ...(user?.mode === 'pod' ? [paths.user] : []),
  ]
  if (!(await pathExists(paths.directory)) || !pins.every(pin => mounts.has(pin))) return false
  if (pid !== 'pod') return true
  return (
    pod.pausePid !== undefined &&
    deps.host.killProcess(ctx, { pid: pod.pausePid, name: 'lighter-pause', signal: 0 })
  )
}

async function observeContainer(
  ctx: Ctx,
  deps: ObserveDeps,
  { container, hasPod }: { readonly container: Container; readonly hasPod: boolean },
): Promise<ObservedContainer> {
  const paths = deps.paths.container(container.id)
  const hasBundle = await pathExists(join(paths.bundle, 'config.json'))
  const hasRuntimeState = await pathExists(join(deps.paths.runtimeRoot, container.id))
  const told = await askShim(ctx, deps, container.id)
  const state = told ?? (await deps.readExitFile(paths.exitFile))
  return { container, hasPod, hasBundle, hasRuntimeState, state, hasShim: told !== undefined }
}

async function askShim(ctx: Ctx, deps: ObserveDeps, id: ContainerId): Promise<ShimState | undefined> {
  try {
    const watch = await deps.shims.watch(detached(ctx, shimAnswerMs), deps.paths.container(id).socket)
    try {
      return await watch.started
    } finally {
      watch.close()
    }
  } catch (err) {
    if (!isKind(err, 'not-found'))
      ctx.log.warn({ containerId: id, err: messageOf(err) }, 'shim does not answer')
    return undefined
  }
}

async function findStrays(deps: ObserveDeps, podIds: ReadonlySet<string>): Promise<Strays> {
  const containerIds = new Set<string>(deps.containers.map(one => one.id))
  const sockets = new Set(deps.containers.map(one => deps.paths.container(one.id).socket))
  const unknown = (known: ReadonlySet<string>) => (name: string) => !known.has(name)
  return {
    podDirectories: (await namesIn(deps.paths.pods)).filter(unknown(podIds)),
    containerDirectories: (await namesIn(deps.paths.containers)).filter(unknown(containerIds)),
    sockets: (await namesIn(deps.paths.sockets))
      .map(name => join(deps.paths.sockets, name))
      .filter(unknown(sockets)),
    rootfsKeys: (await deps.rootfs.keys()).filter(unknown(containerIds)),
    networks: deps.network.attachedIds().filter(unknown(podIds)),
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw fileError(`cannot read ${directory}`, err)
  }
}
