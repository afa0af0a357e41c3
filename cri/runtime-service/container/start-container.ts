import { requiredText } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Fails when the container is not CREATED. */
export function startContainer({ engine }: DoorDeps): Handler<typeof runtimeMethods.StartContainer> {
  return async (ctx, request) => {
    await engine.containers.start(ctx, requiredText(request.containerId, 'container_id'))
    return {}
  }
}
