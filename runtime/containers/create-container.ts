import { dirname, join } from 'node:path'
import { type Ctx, detached, throwIfAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import { makeDirectory, removePath } from '#base/files'
import type { ContainerId } from '#base/ids'
import { createUndoStack, type UndoStack } from '#base/undo-stack'
import type { ContainerOperations } from '../engine.ts'
import { podHostname } from '../host/hostname.ts'
import { userMappings } from '../host/id-mappings.ts'
import type { Container, ContainerConfig } from '../model/container.ts'
import type { Image } from '../model/image.ts'
import type { Owner, Pod } from '../model/pod.ts'
import { mergeResources } from '../oci/merge-resources.ts'
import type { PreparedBundle } from '../oci/prepare-bundle.ts'
import { nextContainerPhase } from '../state/container-machine.ts'
import type { Making } from '../state/make-once.ts'
import { type ContainerDeps, containerLimits } from './container-deps.ts'
import { containerName } from './container-name.ts'
import { imageVolumes, makeMountPoints, mountedImages } from './container-volumes.ts'
import { removeRootfs } from './remove-container.ts'

interface Creation {
  readonly container: Container
  readonly pod: Pod
  readonly image: Image
  readonly undo: UndoStack
}

/**
 * Makes a container: record, root file system, bundle. No process yet. The work goes on when the caller gives up;
 * its identical retry joins it, or gets what it made.
 */
export function createCreateContainer(deps: ContainerDeps, owner: Owner): ContainerOperations['create'] {
  return async (ctx, { podId, config }) => {
    const pod = readyPod(deps, podId)
    const request = { name: containerName(pod.id, config.metadata), input: config }
    return deps.makeOnce.make(ctx, request, making => {
      const image = imageOf(deps, config)
      const container = newContainer(deps, owner, { pod, image, config })
      const own = detached(ctx, containerLimits.createTimeoutMs)
      making.begun(container.id)
      return deps.locks.run(container.id, () => makeContainer(deps, own, { container, pod, image, making }))
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
  const { container, pod, image, undo } = creation
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
