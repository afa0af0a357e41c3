import { RuntimeError } from '#base/errors'
import { createIds } from '#base/ids'
import type { CheckpointOperations, PodCheckpointInput, PodRestoreInput } from '#engine/model/checkpoint'

export interface FakeCheckpoints extends CheckpointOperations {
  /** What was asked for, in order. */
  readonly asked: (Parameters<CheckpointOperations['container']>[1] | PodCheckpointInput | PodRestoreInput)[]
}

/** Writes down what it is asked. A path that ends with `/full` has no space left. */
export function fakeCheckpoints(): FakeCheckpoints {
  const ids = createIds()
  const asked: FakeCheckpoints['asked'] = []
  const note = (path: string, input: FakeCheckpoints['asked'][number]): Promise<void> => {
    if (path.endsWith('/full')) {
      return Promise.reject(new RuntimeError('resource-exhausted', `no space left on ${path}`))
    }
    asked.push(input)
    return Promise.resolve()
  }
  return {
    asked,
    container: (_ctx, input) => note(input.location, input),
    pod: (_ctx, input) => note(input.directory, input),
    async restorePod(_ctx, input) {
      await note(input.directory, input)
      const containers = input.containerConfigs.map(({ metadata }) => ({
        name: metadata.name,
        id: ids.containerId(),
      }))
      return { podId: ids.podId(), containers }
    },
  }
}
