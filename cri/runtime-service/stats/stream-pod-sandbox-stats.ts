import { v1 } from '#proto'
import { toPodStatsFilter } from '../../convert/pod-stats.ts'
import type { DoorDeps } from '../../door.ts'
import { createBatchEncoder } from '../../grpc/encoded-message.ts'
import type { StreamHandler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { findPodStats } from './list-pod-sandbox-stats.ts'

/** ListPodSandboxStats in parts. */
export function streamPodSandboxStats({
  engine,
}: DoorDeps): StreamHandler<typeof runtimeMethods.StreamPodSandboxStats> {
  const encode = createBatchEncoder<v1.PodSandboxStats.$Properties>(stats =>
    v1.PodSandboxStats.encode(stats).finish(),
  )
  return async function* (ctx, request) {
    yield* encode(await findPodStats(ctx, engine, toPodStatsFilter(request.filter)))
  }
}
