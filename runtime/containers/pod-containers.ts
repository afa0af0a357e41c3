import type { Ctx } from '#base/context'
import type { PodId } from '#base/ids'
import { settleAll } from '#base/settle'
import type { Container } from '../model/container.ts'
import type { ContainerDeps } from './container-deps.ts'
import { killContainer } from './kill-container.ts'
import { removeContainer } from './remove-container.ts'

/** What stopping and removing a pod does to its containers; all of them side by side. */
export interface PodContainers {
  killAll(ctx: Ctx, podId: PodId): Promise<void>
  removeAll(ctx: Ctx, podId: PodId): Promise<void>
}

export function createPodContainers(deps: ContainerDeps): PodContainers {
  const inPod = (podId: PodId): readonly Container[] => deps.table.all().filter(one => one.podId === podId)

  async function kill(ctx: Ctx, { id }: Container): Promise<void> {
    await deps.locks.run(id, () => Promise.resolve()) // a start that is under way comes first
    const container = deps.table.get(id)
    if (container?.phase === 'running') await killContainer(deps, ctx, container)
    await deps.supervisor.ended(id) // whoever hears of ends has heard of this one before the pod's
  }

  return {
    async killAll(ctx, podId) {
      await settleAll(inPod(podId).map(container => kill(ctx, container)))
    },
    async removeAll(ctx, podId) {
      await settleAll(inPod(podId).map(({ id }) => deps.locks.run(id, () => removeContainer(deps, ctx, id))))
    },
  }
}
