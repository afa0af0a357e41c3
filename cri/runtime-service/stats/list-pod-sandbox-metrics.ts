import { fromPodMetrics } from '../../convert/metrics.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { containersById, podsById } from './objects-by-id.ts'

/** Ready pods; those that go away while they are being looked at are left out. */
export function listPodSandboxMetrics({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.ListPodSandboxMetrics> {
  return async ctx => {
    const metrics = await engine.stats.metrics(ctx)
    const pods = podsById(engine)
    const containers = containersById(engine, {})
    return {
      podMetrics: metrics.flatMap(found => {
        const pod = pods.get(found.stats.id)
        return pod ? [fromPodMetrics(pod, found, containers)] : []
      }),
    }
  }
}
