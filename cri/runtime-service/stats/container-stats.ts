import { requiredText } from '../../convert/fields.ts'
import { fromStats } from '../../convert/stats.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** NotFound for an unknown id. */
export function containerStats({ engine }: DoorDeps): Handler<typeof runtimeMethods.ContainerStats> {
  return async (ctx, request) => {
    const container = engine.containers.get(requiredText(request.containerId, 'container_id'))
    return { stats: fromStats(container, await engine.stats.container(ctx, container.id)) }
  }
}
