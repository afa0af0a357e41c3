import type { DoorDeps } from '../../door.ts'
import type { StreamHandler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { podMetricsParts } from './pod-metrics-parts.ts'

/** ListPodSandboxMetrics in parts. */
export function streamPodSandboxMetrics({
  engine,
}: DoorDeps): StreamHandler<typeof runtimeMethods.StreamPodSandboxMetrics> {
  return async function* (ctx) {
    yield* await podMetricsParts(ctx, engine)
  }
}
