import { invalid, plainTexts } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { processStreams, runningContainerId } from './process-request.ts'

/** Runs nothing: the command is started when somebody comes to the URL. */
export function exec({ engine, streaming }: DoorDeps): Handler<typeof runtimeMethods.Exec> {
  return async (_ctx, request) => {
    const streams = processStreams(request)
    const command = plainTexts(request.cmd, 'cmd')
    if (command.length === 0) throw invalid('cmd is required')
    const containerId = runningContainerId(engine, request.containerId)
    return { url: await streaming.urlFor({ kind: 'exec', containerId, command, ...streams }) }
  }
}
