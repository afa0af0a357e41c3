import { RuntimeError } from '#base/errors'
import { invalid, requiredText } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Nothing is connected before somebody comes to the URL. No ports: all. */
export function portForward({ engine, streaming }: DoorDeps): Handler<typeof runtimeMethods.PortForward> {
  return async (_ctx, request) => {
    for (const port of request.port) {
      if (port < 1 || port > 0xffff) throw invalid(`port ${port} is not between 1 and 65535`)
    }
    const { id, phase } = engine.pods.get(requiredText(request.podSandboxId, 'pod_sandbox_id'))
    if (phase !== 'ready') {
      throw new RuntimeError('failed-precondition', `pod sandbox ${id} is ${phase}, not ready`)
    }
    const ports = [...new Set(request.port)]
    return { url: await streaming.urlFor({ kind: 'portforward', podId: id, ports }) }
  }
}
