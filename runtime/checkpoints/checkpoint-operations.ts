import { RuntimeError } from '#base/errors'
import type { ContainerDeps } from '../containers/container-deps.ts'
import type { CheckpointOperations } from '../model/checkpoint.ts'
import type { Owner } from '../model/pod.ts'
import type { PodDeps } from '../pods/pod-deps.ts'

export interface CheckpointDeps {
  readonly pods: PodDeps
  readonly containers: ContainerDeps
}

/** Checkpoint and restore of one owner's pods and containers. */
export function checkpointOperations(_deps: CheckpointDeps, _owner: Owner): CheckpointOperations {
  const unbuilt = (what: string) =>
    Promise.reject(new RuntimeError('unimplemented', `${what} is not built yet`))
  return {
    container: () => unbuilt('checkpoint of a container'),
    pod: () => unbuilt('checkpoint of a pod'),
    restorePod: () => unbuilt('restore of a pod'),
  }
}
