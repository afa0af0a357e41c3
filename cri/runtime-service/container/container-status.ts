import { isDigest } from '#base/ids'
import type { Engine } from '#engine/engine'
import type { Container } from '#engine/model/container'
import { fromContainerToStatus } from '../../convert/container-status.ts'
import { requiredText } from '../../convert/fields.ts'
import { containerInfo } from '../../convert/verbose-info.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** NotFound for an unknown id: the kubelet tolerates only that code. */
export function containerStatus({ engine }: DoorDeps): Handler<typeof runtimeMethods.ContainerStatus> {
  return (_ctx, request) => {
    const container = engine.containers.get(requiredText(request.containerId, 'container_id'))
    return {
      status: fromContainerToStatus(container, imageName(engine, container)),
      ...(request.verbose && { info: containerInfo(container) }),
    }
  }
}

/** The kubelet creates containers by image id; a user knows the name that was asked for, or a tag. */
function imageName(engine: Engine, container: Container): string {
  const { image, userSpecifiedImage } = container.config
  if (userSpecifiedImage !== '') return userSpecifiedImage
  if (!isDigest(image)) return image
  return engine.images.find(container.imageId)?.repoTags[0] ?? image
}
