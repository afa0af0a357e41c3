import { requiredText } from '../../convert/fields.ts'
import { fromPodStats } from '../../convert/pod-stats.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { containersById } from './objects-by-id.ts'

/** NotFound for an unknown id. */
export function podSandboxStats({ engine }: DoorDeps): Handler<typeof runtimeMethods.PodSandboxStats> {
  return async (ctx, request) => {
    const pod = engine.pods.get(requiredText(request.podSandboxId, 'pod_sandbox_id'))
    const stats = await engine.stats.pod(ctx, pod.id)
    return { stats: fromPodStats(pod, stats, containersById(engine, { podId: pod.id })) }
  }
}
