import type { Pod } from '#engine/model/pod'
import { v1 } from '#proto'
import { toPodFilter } from '../../convert/pod-filter.ts'
import { fromPod } from '../../convert/pod-status.ts'
import type { DoorDeps } from '../../door.ts'
import { createBatchEncoder } from '../../grpc/encoded-message.ts'
import type { StreamHandler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** ListPodSandbox in parts: the pods as they are when the call comes. */
export function streamPodSandboxes({
  engine,
}: DoorDeps): StreamHandler<typeof runtimeMethods.StreamPodSandboxes> {
  const encode = createBatchEncoder<Pod>(pod => v1.PodSandbox.encode(fromPod(pod)).finish())
  return (_ctx, request) => encode(engine.pods.list(toPodFilter(request.filter)))
}
