import { invalid, plainTexts, requiredText } from '../../convert/fields.ts'
import { secondsToMs } from '../../convert/integers.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** An exit code other than 0 is an answer, not an error; time-out 0 is none. */
export function execSync({ engine }: DoorDeps): Handler<typeof runtimeMethods.ExecSync> {
  return (ctx, request) => {
    const command = plainTexts(request.cmd, 'cmd')
    if (command.length === 0) throw invalid('cmd is required')
    const { containers } = engine
    return containers.execSync(ctx, {
      id: requiredText(request.containerId, 'container_id'),
      command,
      timeoutMs: secondsToMs(request.timeout, 'timeout'),
    })
  }
}
