import { toContainerConfig } from '../../convert/container-config.ts'
import { requiredText } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** The pod's configuration in the request is not looked at: the one that the pod was made with is the truth. */
export function createContainer({ engine }: DoorDeps): Handler<typeof runtimeMethods.CreateContainer> {
  return async (ctx, request) => {
    const id = await engine.containers.create(ctx, {
      podId: requiredText(request.podSandboxId, 'pod_sandbox_id'),
      config: toContainerConfig(request.config),
    })
    return { containerId: id }
  }
}
