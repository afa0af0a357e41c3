import { type Ctx, detached, orAborted } from '#base/context'
import type { PodId } from '#base/ids'
import type { PodOperations } from '../engine.ts'
import { nextPodPhase } from '../state/pod-machine.ts'
import { type PodDeps, podLimits } from './pod-deps.ts'
import { podName } from './pod-name.ts'
import { stopPod } from './stop-pod-sandbox.ts'
import { removePodFiles } from './teardown-pod.ts'

/** Stops the pod, removes its containers, files and record. Goes on without its caller. */
export function createRemovePodSandbox(deps: PodDeps): PodOperations['remove'] {
  return async (ctx, idOrPrefix) => {
    const pod = deps.table.find(idOrPrefix)
    if (!pod) return
    const own = detached(ctx, podLimits.teardownTimeoutMs)
    await orAborted(
      ctx,
      deps.locks.run(pod.id, () => removePod(deps, own, pod.id)),
    )
  }
}

/** The caller holds the pod's lock. */
export async function removePod(deps: PodDeps, ctx: Ctx, id: PodId): Promise<void> {
  if (!deps.table.get(id)) return
  await stopPod(deps, ctx, id)
  const pod = await deps.table.update(
    id,
    current => ({
      ...current,
      phase: nextPodPhase(current, 'remove'),
      stage: 'containers',
    }),
    { mayOutrunDisk: true },
  )
  await deps.containers.removeAll(ctx, id)
  await removePodFiles(deps, pod)
  await deps.table.remove(id)
  deps.names.release(podName(pod.config.metadata), id)
  await deps.plugins.removePod(ctx, pod)
}
