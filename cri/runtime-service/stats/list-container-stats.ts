import { toStatsFilter } from '../../convert/container-filter.ts'
import { fromStats } from '../../convert/stats.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { containersById } from './objects-by-id.ts'

/** Containers that go away while they are being looked at are left out. */
export function listContainerStats({ engine }: DoorDeps): Handler<typeof runtimeMethods.ListContainerStats> {
  return async (ctx, request) => {
    const filter = toStatsFilter(request.filter)
    const stats = await engine.stats.containers(ctx, filter)
    const containers = containersById(engine, filter)
    return {
      stats: stats.flatMap(found => {
        const container = containers.get(found.id)
        return container ? [fromStats(container, found)] : []
      }),
    }
  }
}
