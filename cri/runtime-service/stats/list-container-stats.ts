import type { Container } from '#engine/model/container'
import type { ContainerStats } from '#engine/model/stats'
import { toStatsFilter } from '../../convert/container-filter.ts'
import { fromStats } from '../../convert/stats.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Containers that go away while they are being looked at are left out. */
export function listContainerStats({ engine }: DoorDeps): Handler<typeof runtimeMethods.ListContainerStats> {
  return async (ctx, request) => {
    const filter = toStatsFilter(request.filter)
    const stats = await engine.stats.containers(ctx, filter)
    const containers = new Map<string, Container>()
    for (const container of engine.containers.list(filter)) containers.set(container.id, container)
    return { stats: stats.flatMap(item => fromStatsOf(containers.get(item.id), item)) }
  }
}

function fromStatsOf(
  container: Container | undefined,
  stats: ContainerStats,
): ReturnType<typeof fromStats>[] {
  return container ? [fromStats(container, stats)] : []
}
