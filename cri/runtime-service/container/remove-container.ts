import { requiredText } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Succeeds when the container is unknown; kills it first. */
export function removeContainer({ engine }: DoorDeps): Handler<typeof runtimeMethods.RemoveContainer> {
  return async (ctx, request) => {
    await engine.containers.remove(ctx, requiredText(request.containerId, 'container_id'))
    return {}
  }
}
