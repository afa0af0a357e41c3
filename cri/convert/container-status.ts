import type { Container, ContainerMount } from '#engine/model/container'
import { v1 } from '#proto'
import { fromMount } from './container-mount.ts'
import { fromBigInt, fromNumber } from './integers.ts'
import { fromResources } from './linux.ts'
import { signalNamed } from './signal.ts'

/** The item of a list. */
export function fromContainer(container: Container): v1.Container.$Properties {
  return {
    ...identity(container),
    podSandboxId: container.podId,
    image: imageSpec(container.config.image, container),
  }
}

/**
 * `imageName` is what a user would call the image. `image_id` is the image's id, the same as in every other answer;
 * `image_ref` names its digest.
 */
export function fromContainerToStatus(
  container: Container,
  imageName: string,
): v1.ContainerStatus.$Properties {
  const { exit, resources, user } = container
  return {
    ...identity(container),
    startedAt: fromBigInt(container.startedAtNs),
    finishedAt: fromBigInt(container.finishedAtNs),
    exitCode: exit?.exitCode ?? 0,
    reason: exit?.reason ?? '',
    message: exit?.message ?? '',
    image: imageSpec(imageName, container),
    mounts: container.config.mounts.map(mount => fromMount(mount, mountedImage(container, mount))),
    logPath: container.logPath,
    ...(resources && { resources: { linux: fromResources(resources) } }),
    user: {
      linux: {
        uid: fromNumber(user.uid),
        gid: fromNumber(user.gid),
        supplementalGroups: user.supplementalGroups.map(fromNumber),
      },
    },
    stopSignal: signalNamed(container.stopSignal),
  }
}

/** Id of the image that a mount shows; "" if it shows none. */
function mountedImage(container: Container, { image, containerPath }: ContainerMount): string {
  if (image === '') return ''
  return container.mountedImages.find(mounted => mounted.containerPath === containerPath)?.imageId ?? ''
}

function identity(container: Container): v1.Container.$Properties & v1.ContainerStatus.$Properties {
  return {
    id: container.id,
    metadata: container.config.metadata,
    state: fromContainerPhase(container.phase),
    createdAt: fromBigInt(container.createdAtNs),
    labels: container.config.labels,
    annotations: container.config.annotations,
    imageRef: container.imageRef,
    imageId: container.imageId,
  }
}

function imageSpec(image: string, container: Container): v1.ImageSpec.$Properties {
  return { image, userSpecifiedImage: container.config.userSpecifiedImage }
}

export function fromContainerPhase(phase: Container['phase']): v1.ContainerState {
  switch (phase) {
    case 'creating':
    case 'created':
    case 'starting':
      return v1.ContainerState.CONTAINER_CREATED
    case 'running':
      return v1.ContainerState.CONTAINER_RUNNING
    case 'exited':
    case 'removing':
      return v1.ContainerState.CONTAINER_EXITED
  }
}
