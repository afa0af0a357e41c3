import { chmod, chown, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError, makeDirectory } from '#base/files'
import type { ContainerId } from '#base/ids'
import { hostOwner, userMappings } from '../host/id-mappings.ts'
import type { ImageVolume } from '../images/image-store.ts'
import type { Container, ContainerConfig, MountedImage } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { isPrepared, mountOptions, preparedVolumePath } from '../oci/spec/volumes.ts'
import type { ContainerDeps } from './container-deps.ts'

/** What the images of a config's mounts are now. Errors: `not-found` if one is not there. */
export function mountedImages(
  deps: Pick<ContainerDeps, 'images'>,
  { mounts }: Pick<ContainerConfig, 'mounts'>,
): readonly MountedImage[] {
  return mounts
    .filter(mount => mount.image !== '')
    .map(({ image, containerPath }) => {
      const found = deps.images.find(image)
      if (found) return { containerPath, imageId: found.id }
      throw new RuntimeError('not-found', `image "${image}" for ${containerPath} not found: pull it first`)
    })
}

/** The image volumes of a container, for the images that mountedImages found. */
export function imageVolumes(container: Container, pod: Pod, volumesPath: string): readonly ImageVolume[] {
  const ofPod = userMappings(pod.config.namespaces)
  const images = new Map(container.mountedImages.map(one => [one.containerPath, one.imageId]))
  return container.config.mounts.flatMap((mount, index) => {
    const imageId = mount.image === '' ? undefined : images.get(mount.containerPath)
    if (imageId === undefined) return []
    const own = { uids: mount.uidMappings, gids: mount.gidMappings }
    return {
      imageId,
      target: preparedVolumePath(volumesPath, index),
      subPath: mount.imageSubPath,
      options: mountOptions(mount),
      idMappings: own.uids.length > 0 ? own : ofPod,
    }
  })
}

/** The directories that a container's mounts are made in. Others may enter only as the root of its user namespace. */
export async function makeMountPoints(deps: ContainerDeps, container: Container, pod: Pod): Promise<void> {
  const paths = deps.paths.container(container.id)
  const mappings = userMappings(pod.config.namespaces)
  await makeDirectory(paths.rootfs, 0o700)
  if (container.config.mounts.some(mount => isPrepared(mount, pod))) await makeDirectory(paths.volumes, 0o700)
  if (!mappings) return
  try {
    await chown(paths.directory, 0, hostOwner(mappings).gid)
    await chmod(paths.directory, 0o710)
  } catch (err) {
    throw fileError(`cannot prepare ${paths.directory}`, err)
  }
}

/** Takes away everything that is mounted for a container except its root; absent is fine. */
export async function unmountVolumes(
  deps: Pick<ContainerDeps, 'host' | 'paths'>,
  ctx: Ctx,
  id: ContainerId,
): Promise<void> {
  const { volumes } = deps.paths.container(id)
  try {
    const names = await readdir(volumes)
    await deps.host.unmount(
      ctx,
      names.map(name => join(volumes, name)),
    )
  } catch (err) {
    if (errnoOf(err) !== 'ENOENT') throw err
  }
}
