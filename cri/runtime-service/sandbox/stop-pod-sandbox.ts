import { requiredText } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Succeeds when the pod is stopped or unknown. */
export function stopPodSandbox({ engine }: DoorDeps): Handler<typeof runtimeMethods.StopPodSandbox> {
  return async (ctx, request) => {
    await engine.pods.stop(ctx, requiredText(request.podSandboxId, 'pod_sandbox_id'))
    return {}
  }
}
