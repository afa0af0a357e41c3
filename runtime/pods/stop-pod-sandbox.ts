import { type Ctx, detached, orAborted } from '#base/context'
import type { PodId } from '#base/ids'
import type { PodOperations } from '../engine.ts'
import { nextPodPhase } from '../state/pod-machine.ts'
import { type PodDeps, podLimits } from './pod-deps.ts'
import { releasePod } from './teardown-pod.ts'

/** Kills what runs in the pod and releases its network and namespaces; the record stays. Goes on without its caller. */
export function createStopPodSandbox(deps: PodDeps): PodOperations['stop'] {
  return async (ctx, idOrPrefix) => {
    const pod = deps.table.find(idOrPrefix)
    if (!pod) return
    const own = detached(ctx, podLimits.teardownTimeoutMs)
    await orAborted(
      ctx,
      deps.locks.run(pod.id, () => stopPod(deps, own, pod.id)),
    )
  }
}

/** The caller holds the pod's lock. */
export async function stopPod(deps: PodDeps, ctx: Ctx, id: PodId): Promise<void> {
  const before = deps.table.get(id)
  if (!before || before.phase === 'removing' || isAtRest(deps, id)) return
  deps.makeOnce.withdraw(id)
  const pod = await deps.table.update(
    id,
    current => ({
      ...current,
      phase: nextPodPhase(current, 'stop'),
      stage: 'containers',
    }),
    { mayOutrunDisk: true },
  )
  await deps.containers.killAll(ctx, id)
  if (before.phase !== 'notready') await deps.plugins.stopPod(ctx, pod)
  deps.table.setStage(id, 'network and namespaces')
  const isReleased = await releasePod(deps, ctx, pod)
  await deps.table.update(
    id,
    current => ({
      ...current,
      phase: nextPodPhase(current, 'stopped'),
      stage: '',
      isNetworkAttached: !isReleased,
      pausePid: undefined,
    }),
    { mayOutrunDisk: true },
  )
}

/** Stopped before, with nothing left to release. */
function isAtRest(deps: PodDeps, id: PodId): boolean {
  const pod = deps.table.get(id)
  return pod?.phase === 'notready' && pod.stage === '' && !pod.isNetworkAttached
}
