import { requiredText } from '../../convert/fields.ts'
import { secondsToMs } from '../../convert/integers.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Succeeds when the container does not run or is unknown; time-out 0 kills at once. */
export function stopContainer({ engine }: DoorDeps): Handler<typeof runtimeMethods.StopContainer> {
  return async (ctx, request) => {
    await engine.containers.stop(ctx, {
      id: requiredText(request.containerId, 'container_id'),
      timeoutMs: secondsToMs(request.timeout, 'timeout'),
    })
    return {}
  }
}
