import { fromPodStats, toPodStatsFilter } from '../../convert/pod-stats.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { containersById, podsById } from './objects-by-id.ts'

/** Pods and containers that go away while they are being looked at are left out. */
export function listPodSandboxStats({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.ListPodSandboxStats> {
  return async (ctx, request) => {
    const stats = await engine.stats.pods(ctx, toPodStatsFilter(request.filter))
    const pods = podsById(engine)
    const containers = containersById(engine, {})
    return {
      stats: stats.flatMap(found => {
        const pod = pods.get(found.id)
        return pod ? [fromPodStats(pod, found, containers)] : []
      }),
    }
  }
}
