import { v1 } from '#proto'
import { toStatsFilter } from '../../convert/container-filter.ts'
import type { DoorDeps } from '../../door.ts'
import { createBatchEncoder } from '../../grpc/encoded-message.ts'
import type { StreamHandler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { findContainerStats } from './list-container-stats.ts'

/** ListContainerStats in parts. */
export function streamContainerStats({
  engine,
}: DoorDeps): StreamHandler<typeof runtimeMethods.StreamContainerStats> {
  const encode = createBatchEncoder<v1.ContainerStats.$Properties>(stats =>
    v1.ContainerStats.encode(stats).finish(),
  )
  return async function* (ctx, request) {
    yield* encode(await findContainerStats(ctx, engine, toStatsFilter(request.filter)))
  }
}
