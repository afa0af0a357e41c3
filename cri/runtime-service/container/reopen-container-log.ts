import { requiredText } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Fails, and makes no file, when the container is not running: the kubelet then renames its file back. */
export function reopenContainerLog({ engine }: DoorDeps): Handler<typeof runtimeMethods.ReopenContainerLog> {
  return async (ctx, request) => {
    await engine.containers.reopenLog(ctx, requiredText(request.containerId, 'container_id'))
    return {}
  }
}
