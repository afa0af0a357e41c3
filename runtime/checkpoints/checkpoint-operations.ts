import { RuntimeError } from '#base/errors'
import type { CheckpointOperations } from '../model/checkpoint.ts'
import type { Owner } from '../model/pod.ts'
import { createCheckpointContainer } from './checkpoint-container.ts'
import type { CheckpointDeps } from './checkpoint-deps.ts'
import { createCheckpointPod } from './checkpoint-pod.ts'
import { createRestorePod } from './restore-pod.ts'

/** Checkpoint and restore of one owner's pods and containers; the others' are not there. */
export function checkpointOperations(deps: CheckpointDeps, owner: Owner): CheckpointOperations {
  const container = createCheckpointContainer(deps)
  const pod = createCheckpointPod(deps)

  function own(kind: 'pod sandbox' | 'container', id: string): string {
    const found = kind === 'container' ? deps.containers.table.find(id) : deps.pods.table.find(id)
    if (found?.owner === owner) return found.id
    throw new RuntimeError('not-found', `${kind} "${id}" not found`)
  }

  return {
    container: async (ctx, input) => container(ctx, { ...input, id: own('container', input.id) }),
    async pod(ctx, input) {
      const podId = own('pod sandbox', input.podId)
      const containerIds = input.containerIds.map(id => own('container', id))
      await pod(ctx, { ...input, podId, containerIds })
    },
    restorePod: createRestorePod(deps, owner),
  }
}
