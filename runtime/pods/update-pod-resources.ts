import { detached, orAborted } from '#base/context'
import type { PodOperations } from '../engine.ts'
import { type PodDeps, podLimits } from './pod-deps.ts'

/**
 * Notes what the kubelet gave the pod's own cgroup, which is the kubelet's: nothing is written there. What is not
 * given stays as it was.
 */
export function createUpdatePodResources(deps: PodDeps): PodOperations['updateResources'] {
  return async (ctx, { id: idOrPrefix, overhead, resources }) => {
    const { id } = deps.table.resolve(idOrPrefix)
    const own = detached(ctx, podLimits.teardownTimeoutMs)
    const noted = deps.locks.run(id, async () => {
      await deps.plugins.updatePod(own, { pod: deps.table.resolve(id), overhead, resources })
      const updated = await deps.table.update(id, pod => ({
        ...pod,
        config: {
          ...pod.config,
          overhead: overhead ?? pod.config.overhead,
          resources: resources ?? pod.config.resources,
        },
      }))
      await deps.plugins.podUpdated(own, updated)
    })
    await orAborted(ctx, noted)
  }
}
