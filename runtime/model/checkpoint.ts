import type { Ctx } from '#base/context'
import type { ContainerId, PodId } from '#base/ids'
import type { ContainerConfig } from './container.ts'
import type { PodConfig } from './pod.ts'

/** Freezing processes to disk and bringing them back, with CRIU. Errors: `failed-precondition` says what is missing. */
export interface CheckpointOperations {
  /** Writes an archive of the running container to `location`, a path that does not exist yet; it goes on running. */
  container(
    ctx: Ctx,
    input: { readonly id: string; readonly location: string; readonly timeoutMs: number },
  ): Promise<void>
  /**
   * Writes a consistent checkpoint of some containers of a pod into `directory`, existing and empty; all are paused
   * before the first is captured, and go on afterwards. Leaves nothing behind when it fails.
   */
  pod(ctx: Ctx, input: PodCheckpointInput): Promise<void>
  /** Makes a new pod from such a directory; its containers are created and have not run a step. All or nothing. */
  restorePod(ctx: Ctx, input: PodRestoreInput): Promise<RestoredPod>
}

export interface PodCheckpointInput {
  readonly podId: string
  readonly directory: string
  /** Not empty, without repetition, all running. */
  readonly containerIds: readonly string[]
  readonly options: Readonly<Record<string, string>>
}

export interface PodRestoreInput {
  readonly directory: string
  readonly config: PodConfig
  readonly runtimeHandler: string
  readonly options: Readonly<Record<string, string>>
  /** One for each container of the checkpoint, by name. */
  readonly containerConfigs: readonly ContainerConfig[]
}

export interface RestoredPod {
  readonly podId: PodId
  readonly containers: readonly { readonly name: string; readonly id: ContainerId }[]
}
