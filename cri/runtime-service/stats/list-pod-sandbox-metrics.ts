import type { Ctx } from '#base/context'
import type { Engine } from '#engine/engine'
import type { v1 } from '#proto'
import { fromPodMetrics } from '../../convert/metrics.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { containersById, podsById } from './objects-by-id.ts'

export function listPodSandboxMetrics({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.ListPodSandboxMetrics> {
  return async ctx => ({ podMetrics: await findPodMetrics(ctx, engine) })
}

/** Ready pods; those that go away while they are being looked at are left out. */
export async function findPodMetrics(ctx: Ctx, engine: Engine): Promise<v1.PodSandboxMetrics.$Properties[]> {
  const metrics = await engine.stats.metrics(ctx)
  const pods = podsById(engine)
  const containers = containersById(engine, {})
  return metrics.flatMap(found => {
    const pod = pods.get(found.stats.id)
    return pod ? [fromPodMetrics(pod, found, containers)] : []
  })
}
