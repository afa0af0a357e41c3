import { plainTexts, requiredText, textMap } from '../../convert/fields.ts'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** All or nothing: after an error the directory is empty again, and the containers go on. */
export function checkpointPod({ engine }: DoorDeps): Handler<typeof runtimeMethods.CheckpointPod> {
  return async (ctx, request) => {
    await engine.checkpoints.pod(ctx, {
      podId: requiredText(request.podSandboxId, 'pod_sandbox_id'),
      directory: requiredText(request.outputPath, 'output_path'),
      containerIds: plainTexts(request.containerIds, 'container_ids'),
      options: textMap(request.options),
    })
    return {}
  }
}
