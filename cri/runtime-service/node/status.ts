import { fromNodeStatus } from '../../convert/node-status.ts'
import { json } from '../../convert/verbose-info.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Asked for every 5 s. Verbose: `config` is what critest reads `stateDir` from, `activity` is for people. */
export function status({ engine, config, version }: DoorDeps): Handler<typeof runtimeMethods.Status> {
  return async (ctx, request) => ({
    ...fromNodeStatus(await engine.node.status(ctx)),
    ...(request.verbose && {
      info: {
        config: json(config),
        version: json(version),
        activity: json(engine.node.activity()),
      },
    }),
  })
}
