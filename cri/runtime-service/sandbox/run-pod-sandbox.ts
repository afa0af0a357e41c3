import { toPodConfig } from '../../convert/pod-config.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** A retry with the same metadata joins the running call, or gets the pod that it made. */
export function runPodSandbox({ engine }: DoorDeps): Handler<typeof runtimeMethods.RunPodSandbox> {
  return async (ctx, request) => {
    const id = await engine.pods.run(ctx, {
      config: toPodConfig(request.config),
      runtimeHandler: request.runtimeHandler,
    })
    return { podSandboxId: id }
  }
}
