import { dirname, isAbsolute, join } from 'node:path'
import { type Ctx, detached, throwIfAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import { makeDirectory, removePath } from '#base/files'
import type { ContainerId } from '#base/ids'
import { createUndoStack, type UndoStack } from '#base/undo-stack'
import { podHostname } from '../host/hostname.ts'
import { userMappings } from '../host/id-mappings.ts'
import type { Container, ContainerConfig } from '../model/container.ts'
import type { Image } from '../model/image.ts'
import type { Owner, Pod } from '../model/pod.ts'
import { mergeResources } from '../oci/merge-resources.ts'
import type { PreparedBundle } from '../oci/prepare-bundle.ts'
import { nextContainerPhase } from '../state/container-machine.ts'
import type { Making } from '../state/make-once.ts'
import type { OpenCheckpoint } from './checkpoint-source.ts'
import { type ContainerDeps, containerLimits } from './container-deps.ts'
import { containerName } from './container-name.ts'
import { imageVolumes, makeMountPoints, mountedImages } from './container-volumes.ts'
import { removeRootfs } from './remove-container.ts'

interface Creation {
  readonly container: Container
  readonly pod: Pod
  readonly image: Image
  /** What its processes and files go on from; undefined: from the image. */
  readonly checkpoint: OpenCheckpoint | undefined
  /** The config must describe the captured process in every point. */
  readonly isStrict: boolean
  readonly undo: UndoStack
}

export interface CreateInput {
  readonly podId: string
  readonly config: ContainerConfig
  /** Path of a checkpoint to begin from, of a container with just this config; its image is the config's. */
  readonly checkpoint?: string
}

/**
 * Makes a container: record, root file system, bundle. No process yet. An image that is an absolute path is a checkpoint
 * archive, which it then begins from. The work goes on when the caller gives up; its identical retry joins it, or
 * gets what it made.
 */
export function createCreateContainer(
  deps: ContainerDeps,
  owner: Owner,
): (ctx: Ctx, input: CreateInput) => Promise<ContainerId> {
  return async (ctx, { podId, config, checkpoint: path }) => {
    const pod = readyPod(deps, podId)
    const request = { name: containerName(pod.id, config.metadata), input: config }
    return deps.makeOnce.make(ctx, request, async making => {
      const opening = detached(ctx, containerLimits.restoreTimeoutMs)
      const checkpoint = await openCheckpoint(deps, opening, { config, path })
      const own = detached(
        ctx,
        checkpoint ? containerLimits.restoreTimeoutMs : containerLimits.createTimeoutMs,
      )
      try {
        const isStrict = path !== undefined
        const image = checkpoint
          ? imageOfCheckpoint(deps, checkpoint, isStrict ? config : undefined)
          : imageOf(deps, config)
        const container = newContainer(deps, owner, { pod, image, config })
        making.begun(container.id)
        const creation = { container, pod, image, checkpoint, isStrict, making }
        return await deps.locks.run(container.id, () => makeContainer(deps, own, creation))
      } finally {
        await checkpoint?.close(detached(ctx, containerLimits.createTimeoutMs))
      }
    })
  }
}

async function makeContainer(
  deps: ContainerDeps,
  ctx: Ctx,
  input: Omit<Creation, 'undo'> & { readonly making: Making<ContainerId> },
): Promise<ContainerId> {
  const undo = createUndoStack(ctx.log)
  const { container, pod } = input
  const name = containerName(pod.id, container.config.metadata)
  try {
    deps.names.reserve(name, container.id)
    undo.push('release container name', () => {
      deps.names.release(name, container.id)
    })
    await deps.table.insert(container)
    undo.push('forget record', () => deps.table.remove(container.id))
    readyPod(deps, pod.id) // again: it may have been stopped before the record was there to be seen
    const bundle = await makeBundle(deps, ctx, { ...input, undo })
    throwIfAborted(ctx)
    await deps.table.update(container.id, current => ({
      ...current,
      phase: nextContainerPhase(current, 'made'),
      stage: '',
      user: bundle.user,
      stopSignal: bundle.stopSignal,
      cgroupsPath: bundle.cgroupsPath,
      ...(input.checkpoint ? { checkpointImages: checkpointImagesPath(deps, container) } : {}),
    }))
    undo.commit()
    await deps.plugins.containerCreated(ctx, deps.table.resolve(container.id))
    return container.id
  } catch (err) {
    input.making.undoing()
    const stage = deps.table.get(container.id)?.stage ?? 'record'
    await undo.run() // what it cannot undo has no record any more: the next start sweeps it up
    throw withContext(
      `cannot create container "${container.config.metadata.name}" in pod "${pod.id}" (${stage})`,
      err,
    )
  }
}

async function makeBundle(deps: ContainerDeps, ctx: Ctx, creation: Creation): Promise<PreparedBundle> {
  const { container, pod, image, checkpoint, undo } = creation
  const paths = deps.paths.container(container.id)
  const { hasRecursiveReadOnlyMounts } = await deps.runtimes.find(ctx, pod.runtimeHandler)
  deps.table.setStage(container.id, 'root file system')
  undo.push('remove files', () => removePath(paths.directory))
  await makeMountPoints(deps, container, pod)
  undo.push('remove root file system', undoCtx => removeRootfs(deps, undoCtx, container.id))
  await deps.images.rootfs.prepare(ctx, {
    key: container.id,
    imageId: image.id,
    target: paths.rootfs,
    idMappings: userMappings(pod.config.namespaces),
    volumes: imageVolumes(container, pod, paths.volumes),
    label: deps.bundles.mountLabel(container.config, pod),
    fill: checkpoint && ((fillCtx, upper) => checkpoint.fill(fillCtx, upper)),
  })
  await checkpoint?.deleteIn(ctx, paths.rootfs)
  await checkpoint?.moveImages({
    target: checkpointImagesPath(deps, container),
    hostname: podHostname(pod),
  })
  deps.table.setStage(container.id, 'bundle')
  if (container.logPath) await makeDirectory(dirname(container.logPath))
  return deps.bundles.prepare(ctx, {
    id: container.id,
    config: container.config,
    pod,
    podPaths: deps.paths.pod(pod.id),
    hostname: podHostname(pod),
    image: image.config,
    imageName: container.config.userSpecifiedImage || container.imageRef,
    bundlePath: paths.bundle,
    rootfsPath: paths.rootfs,
    volumesPath: paths.volumes,
    targetPid: targetPid(deps, container),
    hasRecursiveReadOnlyMounts,
    adjust: async spec => {
      checkpoint?.check(spec, creation.isStrict)
      deps.table.setStage(container.id, 'plugins')
      undo.push('tell plugins', undoCtx => deps.plugins.containerAbandoned(undoCtx, container))
      const adjustment = await deps.plugins.createContainer(ctx, { container, spec })
      const { resources: changes } = adjustment
      if (changes) {
        await deps.table.update(container.id, current => ({
          ...current,
          resources: mergeResources(current.resources, changes),
        }))
      }
      return adjustment
    },
  })
}

/** PID mode TARGET joins the namespace of a running container of the same pod (CRI NamespaceOption.target_id). */
function targetPid(deps: ContainerDeps, container: Container): number | undefined {
  const { pid, targetId } = container.config.security.namespaces
  if (pid !== 'target') return undefined
  const target = deps.table.resolve(targetId)
  if (target.podId !== container.podId) {
    throw new RuntimeError(
      'invalid-argument',
      `target container "${targetId}" is not in pod "${container.podId}"`,
    )
  }
  if (target.pid === undefined) {
    throw new RuntimeError('failed-precondition', `target container "${targetId}" is not running`)
  }
  return target.pid
}

function readyPod(deps: ContainerDeps, id: string): Pod {
  const pod = deps.pods.resolve(id)
  if (pod.phase !== 'ready') {
    throw new RuntimeError('failed-precondition', `pod sandbox "${pod.id}" is ${pod.phase}, not ready`)
  }
  return pod
}

function imageOf(deps: ContainerDeps, config: ContainerConfig): Image {
  const image = deps.images.find(config.image)
  if (!image) throw new RuntimeError('not-found', `image "${config.image}" not found: pull it first`)
  return image
}

/** Beside its writable layer, and removed with it. */
function checkpointImagesPath(deps: ContainerDeps, { id }: Container): string {
  return join(deps.images.rootfs.mountpoint, id, 'checkpoint')
}

/** What the container begins from besides an image: an archive by its path, or an image that is a checkpoint. */
async function openCheckpoint(
  deps: ContainerDeps,
  ctx: Ctx,
  { config, path }: { readonly config: ContainerConfig; readonly path: string | undefined },
): Promise<OpenCheckpoint | undefined> {
  if (path !== undefined) return deps.checkpoints.open(ctx, path)
  if (isAbsolute(config.image)) return deps.checkpoints.open(ctx, config.image)
  return deps.checkpoints.openImage(ctx, imageOf(deps, config).id)
}

/** The image that it was made from; `config` has to be of just this one. */
function imageOfCheckpoint(
  deps: ContainerDeps,
  { imageReferences }: OpenCheckpoint,
  config: ContainerConfig | undefined,
): Image {
  const image = imageReferences.map(reference => deps.images.find(reference)).find(found => found)
  if (!image) {
    const name = imageReferences.at(-1) ?? ''
    throw new RuntimeError('not-found', `the checkpoint needs image "${name}": pull it first`)
  }
  if (!config || imageOf(deps, config).id === image.id) return image
  throw new RuntimeError(
    'invalid-argument',
    `the checkpoint is of image "${image.id}", not of "${config.image}"`,
  )
}

function newContainer(
  deps: ContainerDeps,
  owner: Owner,
  { pod, image, config }: { readonly pod: Pod; readonly image: Image; readonly config: ContainerConfig },
): Container {
  const { logDirectory } = pod.config
  return {
    id: deps.ids.containerId(),
    podId: pod.id,
    owner,
    config,
    imageId: image.id,
    imageRef: image.repoDigests[0] ?? image.id,
    mountedImages: mountedImages(deps, config),
    phase: 'creating',
    stage: 'record',
    createdAtNs: deps.clock.now(),
    startedAtNs: 0n,
    finishedAtNs: 0n,
    pid: undefined,
    exit: undefined,
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    stopSignal: '',
    logPath: logDirectory && config.logPath ? join(logDirectory, config.logPath) : '',
    cgroupsPath: '',
    resources: config.resources,
  }
}
