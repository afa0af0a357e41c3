import type { Ctx } from '#base/context'
import type { Engine } from '#engine/engine'
import type { v1 } from '#proto'
import { fromPodStats, toPodStatsFilter } from '../../convert/pod-stats.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { containersById, podsById } from './objects-by-id.ts'

export function listPodSandboxStats({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.ListPodSandboxStats> {
  return async (ctx, request) => ({
    stats: await findPodStats(ctx, engine, toPodStatsFilter(request.filter)),
  })
}

/** Pods and containers that go away while they are being looked at are left out. */
export async function findPodStats(
  ctx: Ctx,
  engine: Engine,
  filter: ReturnType<typeof toPodStatsFilter>,
): Promise<v1.PodSandboxStats.$Properties[]> {
  const stats = await engine.stats.pods(ctx, filter)
  const pods = podsById(engine)
  const containers = containersById(engine, {})
  return stats.flatMap(found => {
    const pod = pods.get(found.id)
    return pod ? [fromPodStats(pod, found, containers)] : []
  })
}
