import { requiredText } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Succeeds when the pod is unknown; stops it, and removes its containers, first. */
export function removePodSandbox({ engine }: DoorDeps): Handler<typeof runtimeMethods.RemovePodSandbox> {
  return async (ctx, request) => {
    await engine.pods.remove(ctx, requiredText(request.podSandboxId, 'pod_sandbox_id'))
    return {}
  }
}
