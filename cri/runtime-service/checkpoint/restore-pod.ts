import { toContainerConfig } from '../../convert/container-config.ts'
import { requiredText, textMap } from '../../convert/fields.ts'
import { toPodConfig } from '../../convert/pod-config.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** The containers are created and have not run a step: StartContainer lets each go on. */
export function restorePod({ engine }: DoorDeps): Handler<typeof runtimeMethods.RestorePod> {
  return async (ctx, request) => {
    const { podId, containers } = await engine.checkpoints.restorePod(ctx, {
      directory: requiredText(request.checkpointPath, 'checkpoint_path'),
      config: toPodConfig(request.config),
      runtimeHandler: request.runtimeHandler,
      options: textMap(request.options),
      containerConfigs: request.containerConfigs.map(config => toContainerConfig(config)),
    })
    return {
      podSandboxId: podId,
      restoredContainers: containers.map(({ name, id }) => ({ name, containerId: id })),
    }
  }
}
