import { requiredText } from '../../convert/fields.ts'
import { toResources } from '../../convert/linux.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** The kubelet has changed the pod's cgroup itself and tells so; the values show up in a verbose PodSandboxStatus. */
export function updatePodSandboxResources({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.UpdatePodSandboxResources> {
  return async (ctx, request) => {
    await engine.pods.updateResources(ctx, {
      id: requiredText(request.podSandboxId, 'pod_sandbox_id'),
      overhead: toResources(request.overhead, 'overhead'),
      resources: toResources(request.resources, 'resources'),
    })
    return {}
  }
}
