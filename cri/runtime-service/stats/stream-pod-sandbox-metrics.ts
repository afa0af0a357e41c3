import { v1 } from '#proto'
import type { DoorDeps } from '../../door.ts'
import { createBatchEncoder } from '../../grpc/encoded-message.ts'
import type { StreamHandler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { findPodMetrics } from './list-pod-sandbox-metrics.ts'

/** ListPodSandboxMetrics in parts. */
export function streamPodSandboxMetrics({
  engine,
}: DoorDeps): StreamHandler<typeof runtimeMethods.StreamPodSandboxMetrics> {
  const encode = createBatchEncoder<v1.PodSandboxMetrics.$Properties>(metrics =>
    v1.PodSandboxMetrics.encode(metrics).finish(),
  )
  return async function* (ctx) {
    yield* encode(await findPodMetrics(ctx, engine))
  }
}
