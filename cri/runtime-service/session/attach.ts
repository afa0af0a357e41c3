import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { processStreams, runningContainerId } from './process-request.ts'

/** What the container writes from the moment on in which somebody comes to the URL. */
export function attach({ engine, streaming }: DoorDeps): Handler<typeof runtimeMethods.Attach> {
  return async (_ctx, request) => {
    const streams = processStreams(request)
    const containerId = runningContainerId(engine, request.containerId)
    return { url: await streaming.urlFor({ kind: 'attach', containerId, ...streams }) }
  }
}
