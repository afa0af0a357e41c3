import { setImmediate } from 'node:timers/promises'
import type { DoorDeps } from '../../door.ts'
import { EncodedMessage } from '../../grpc/encoded-message.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { podMetricsParts } from './pod-metrics-parts.ts'

/** Other calls get their turn between the parts. */
export function listPodSandboxMetrics({
  engine,
}: DoorDeps): Handler<typeof runtimeMethods.ListPodSandboxMetrics> {
  return async ctx => {
    const parts: Uint8Array[] = []
    for (const { bytes } of await podMetricsParts(ctx, engine)) {
      parts.push(bytes)
      await setImmediate()
    }
    return new EncodedMessage(Buffer.concat(parts))
  }
}
