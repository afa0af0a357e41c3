import { orAborted } from '#base/context'
import type { PodOperations } from '../engine.ts'
import type { PodDeps } from './pod-deps.ts'

/**
 * Notes what the kubelet gave the pod's own cgroup, which is the kubelet's: nothing is written there. What is not
 * given stays as it was.
 */
export function createUpdatePodResources(deps: PodDeps): PodOperations['updateResources'] {
  return async (ctx, { id: idOrPrefix, overhead, resources }) => {
    const { id } = deps.table.resolve(idOrPrefix)
    const noted = deps.locks.run(id, () =>
      deps.table.update(id, pod => ({
        ...pod,
        config: {
          ...pod.config,
          overhead: overhead ?? pod.config.overhead,
          resources: resources ?? pod.config.resources,
        },
      })),
    )
    await orAborted(ctx, noted)
  }
}
