import type { Pod } from '#engine/model/pod'
import { v1 } from '#proto'
import { toPodFilter } from '../../convert/pod-filter.ts'
import { fromPod } from '../../convert/pod-status.ts'
import type { DoorDeps } from '../../door.ts'
import { createListEncoder } from '../../grpc/encoded-message.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Asked for every second: waits for nothing, and encodes a pod only when it has changed. */
export function listPodSandbox({ engine }: DoorDeps): Handler<typeof runtimeMethods.ListPodSandbox> {
  const encode = createListEncoder<Pod>(pod => v1.PodSandbox.encode(fromPod(pod)).finish())
  return (_ctx, request) => encode(engine.pods.list(toPodFilter(request.filter)))
}
