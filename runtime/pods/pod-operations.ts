import { RuntimeError } from '#base/errors'
import type { PodOperations } from '../engine.ts'
import type { Owner } from '../model/pod.ts'
import { listPods } from './list-pods.ts'
import type { PodDeps } from './pod-deps.ts'
import { createRemovePodSandbox } from './remove-pod-sandbox.ts'
import { createRunPodSandbox } from './run-pod-sandbox.ts'
import { createStopPodSandbox } from './stop-pod-sandbox.ts'
import { createUpdatePodResources } from './update-pod-resources.ts'

/** The operations on the pods of one owner; the others' pods are not there. */
export function podOperations(deps: PodDeps, owner: Owner): PodOperations {
  const isOwn = (id: string): boolean => deps.table.find(id)?.owner === owner
  const stop = createStopPodSandbox(deps)
  const remove = createRemovePodSandbox(deps)
  const updateResources = createUpdatePodResources(deps)
  const own = (id: string): string => {
    if (!isOwn(id)) throw new RuntimeError('not-found', `pod sandbox "${id}" not found`)
    return id
  }
  return {
    run: createRunPodSandbox(deps, owner),
    async stop(ctx, id) {
      if (isOwn(id)) await stop(ctx, id)
    },
    async remove(ctx, id) {
      if (isOwn(id)) await remove(ctx, id)
    },
    get: id => deps.table.resolve(own(id)),
    updateResources: async (ctx, input) => updateResources(ctx, { ...input, id: own(input.id) }),
    list: filter => listPods(deps.table, owner, filter),
  }
}
