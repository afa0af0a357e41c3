import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { userMappings } from '../../host/id-mappings.ts'
import type { MountOption } from '../../images/image-store.ts'
import type { ContainerMount } from '../../model/container.ts'
import type { Pod } from '../../model/pod.ts'

/** Mount options that a client may add (CRI Mount.mount_options). */
const clientOptions: readonly string[] = ['noexec', 'nodev', 'nosuid'] satisfies readonly MountOption[]

/** Such mounts of one container; each is a request to the host. */
const limits = { preparedVolumes: 256 } as const

/**
 * Whether lighter mounts a volume itself and gives the OCI runtime the outcome: images, mapped ids, and what a runtime
 * inside a user namespace may not do, which is to change the flags of a mount from outside.
 */
export function isPrepared(mount: ContainerMount, pod: Pick<Pod, 'config'>): boolean {
  if (mount.image !== '' || mount.uidMappings.length > 0) return true
  return hasUser(pod) && (mount.isReadOnly || mount.options.length > 0)
}

/** Where the volume at this place of config.mounts is prepared. */
export function preparedVolumePath(volumesPath: string, index: number): string {
  return posix.join(volumesPath, String(index))
}

/** Errors: `invalid-argument` names the mount and what is wrong with it. */
export function checkVolumes(mounts: readonly ContainerMount[], pod: Pick<Pod, 'config'>): void {
  for (const mount of mounts) {
    const problem = mount.image === '' ? hostPathProblem(mount, pod) : imageProblem(mount)
    if (problem === undefined) continue
    throw new RuntimeError('invalid-argument', `${mountName(mount)}: ${problem}`)
  }
  const prepared = mounts.filter(mount => isPrepared(mount, pod)).length
  if (prepared <= limits.preparedVolumes) return
  throw new RuntimeError(
    'invalid-argument',
    `${prepared} mounts are images, read-only in a user namespace or have id mappings: at most ${limits.preparedVolumes} can`,
  )
}

export function mountName(mount: ContainerMount): string {
  const what = mount.image === '' ? mount.hostPath : `image ${mount.image}`
  return `mount of "${what}" on "${mount.containerPath}"`
}

export function mountOptions(mount: ContainerMount): readonly MountOption[] {
  return mount.options.filter((option): option is MountOption => clientOptions.includes(option))
}

function hasUser(pod: Pick<Pod, 'config'>): boolean {
  return userMappings(pod.config.namespaces) !== undefined
}

function commonProblem(mount: ContainerMount): string | undefined {
  const option = mount.options.find(word => !clientOptions.includes(word))
  if (option !== undefined) return `mount_options: "${option}" is none of ${clientOptions.join(', ')}`
  if (mount.uidMappings.length > 0 !== mount.gidMappings.length > 0) {
    return 'uidMappings and gidMappings can only be given together'
  }
  if (`${mount.hostPath}${mount.containerPath}${mount.imageSubPath}`.includes('\0')) {
    return 'path contains a NUL character'
  }
  return undefined
}

function hostPathProblem(mount: ContainerMount, pod: Pick<Pod, 'config'>): string | undefined {
  if (!posix.isAbsolute(mount.hostPath)) return 'host_path is not an absolute path'
  if (mount.imageSubPath !== '') return 'image_sub_path needs an image'
  if (mount.propagation === 'bidirectional') {
    if (hasUser(pod)) return 'bidirectional propagation does not work out of a user namespace'
    if (mount.uidMappings.length > 0) return 'bidirectional propagation does not go with id mappings'
  }
  return commonProblem(mount)
}

function imageProblem(mount: ContainerMount): string | undefined {
  if (mount.hostPath !== '') return 'a mount has either an image or a host_path'
  if (!mount.isReadOnly) return 'an image can only be mounted with readonly'
  if (mount.propagation !== 'private') return `an image cannot have propagation ${mount.propagation}`
  return commonProblem(mount)
}
