import { requiredText } from '../../convert/fields.ts'
import { secondsToMs } from '../../convert/integers.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Time-out 0: the engine's own. The container goes on, whatever comes of it. */
export function checkpointContainer({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.CheckpointContainer> {
  return async (ctx, request) => {
    await engine.checkpoints.container(ctx, {
      id: requiredText(request.containerId, 'container_id'),
      location: requiredText(request.location, 'location'),
      timeoutMs: secondsToMs(request.timeout, 'timeout'),
    })
    return {}
  }
}
