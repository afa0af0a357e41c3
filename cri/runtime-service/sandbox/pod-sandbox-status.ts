import { requiredText } from '../../convert/fields.ts'
import { fromPodToStatus } from '../../convert/pod-status.ts'
import { podInfo } from '../../convert/verbose-info.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** NotFound for an unknown id: the kubelet tolerates only that code. */
export function podSandboxStatus({ engine }: DoorDeps): Handler<typeof runtimeMethods.PodSandboxStatus> {
  return (_ctx, request) => {
    const pod = engine.pods.get(requiredText(request.podSandboxId, 'pod_sandbox_id'))
    return { status: fromPodToStatus(pod), ...(request.verbose && { info: podInfo(pod) }) }
  }
}
