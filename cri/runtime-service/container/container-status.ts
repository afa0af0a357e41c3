import { fromContainerToStatus } from '../../convert/container-status.ts'
import { requiredText } from '../../convert/fields.ts'
import { containerInfo } from '../../convert/verbose-info.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { imageName } from './image-name.ts'

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
