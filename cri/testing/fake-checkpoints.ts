import { RuntimeError } from '#base/errors'
import type { CheckpointOperations } from '#engine/model/checkpoint'

export function fakeCheckpoints(): CheckpointOperations {
  const unbuilt = (what: string) => Promise.reject(new RuntimeError('unimplemented', what))
  return {
    container: () => unbuilt('container'),
    pod: () => unbuilt('pod'),
    restorePod: () => unbuilt('restorePod'),
  }
}
