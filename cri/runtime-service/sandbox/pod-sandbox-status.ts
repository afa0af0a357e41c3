import { fromContainerToStatus } from '../../convert/container-status.ts'
import { requiredText } from '../../convert/fields.ts'
import { fromBigInt } from '../../convert/integers.ts'
import { fromPodToStatus } from '../../convert/pod-status.ts'
import { podInfo } from '../../convert/verbose-info.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { imageName } from '../container/image-name.ts'

/**
 * NotFound for an unknown id: the kubelet tolerates only that code. It compares the timestamp with those of events to
 * know which of the two is newer.
 */
export function podSandboxStatus({ engine }: DoorDeps): Handler<typeof runtimeMethods.PodSandboxStatus> {
  return (_ctx, request) => {
    const id = requiredText(request.podSandboxId, 'pod_sandbox_id')
    const { pod, containers, timestampNs } = engine.events.snapshot(id)
    return {
      status: fromPodToStatus(pod),
      containersStatuses: containers.map(one => fromContainerToStatus(one, imageName(engine, one))),
      timestamp: fromBigInt(timestampNs),
      ...(request.verbose && { info: podInfo(pod) }),
    }
  }
}
