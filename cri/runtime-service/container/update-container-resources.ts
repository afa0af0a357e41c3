import { requiredText } from '../../convert/fields.ts'
import { toResources } from '../../convert/linux.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Without `linux` nothing changes, as with a message of zeros. */
export function updateContainerResources({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.UpdateContainerResources> {
  return async (ctx, request) => {
    const id = requiredText(request.containerId, 'container_id')
    const resources = toResources(request.linux ?? {}, 'linux')
    if (resources) await engine.containers.updateResources(ctx, { id, resources })
    return {}
  }
}
