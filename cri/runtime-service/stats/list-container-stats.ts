import type { Ctx } from '#base/context'
import type { ContainerFilter, Engine } from '#engine/engine'
import type { v1 } from '#proto'
import { toStatsFilter } from '../../convert/container-filter.ts'
import { fromStats } from '../../convert/stats.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { containersById } from './objects-by-id.ts'

export function listContainerStats({ engine }: DoorDeps): Handler<typeof runtimeMethods.ListContainerStats> {
  return async (ctx, request) => ({
    stats: await findContainerStats(ctx, engine, toStatsFilter(request.filter)),
  })
}

/** Containers that go away while they are being looked at are left out. */
export async function findContainerStats(
  ctx: Ctx,
  engine: Engine,
  filter: ContainerFilter,
): Promise<v1.ContainerStats.$Properties[]> {
  const stats = await engine.stats.containers(ctx, filter)
  const containers = containersById(engine, filter)
  return stats.flatMap(found => {
    const container = containers.get(found.id)
    return container ? [fromStats(container, found)] : []
  })
}
