import { RuntimeError } from '#base/errors'
import type { ContainerOperations } from '../engine.ts'
import type { Owner } from '../model/pod.ts'
import type { ContainerDeps } from './container-deps.ts'
import { createCreateContainer } from './create-container.ts'
import { createExecSync } from './exec-sync.ts'
import { listContainers } from './list-containers.ts'
import { createRemoveContainer } from './remove-container.ts'
import { createReopenContainerLog } from './reopen-container-log.ts'
import { createStartContainer } from './start-container.ts'
import { createStopContainer } from './stop-container.ts'
import { createUpdateContainerResources } from './update-container-resources.ts'

/** The operations on the containers of one owner; the others' containers are not there. */
export function containerOperations(deps: ContainerDeps, owner: Owner): ContainerOperations {
  const isOwn = (id: string): boolean => deps.table.find(id)?.owner === owner
  const own = (id: string): string => {
    if (!isOwn(id)) throw new RuntimeError('not-found', `container "${id}" not found`)
    return id
  }
  const create = createCreateContainer(deps, owner)
  const start = createStartContainer(deps)
  const stop = createStopContainer(deps)
  const remove = createRemoveContainer(deps)
  const execSync = createExecSync(deps)
  const reopenLog = createReopenContainerLog(deps)
  const updateResources = createUpdateContainerResources(deps)
  return {
    async create(ctx, input) {
      if (deps.pods.resolve(input.podId).owner !== owner) {
        throw new RuntimeError('not-found', `pod sandbox "${input.podId}" not found`)
      }
      return create(ctx, input)
    },
    start: async (ctx, id) => start(ctx, own(id)),
    async stop(ctx, input) {
      if (isOwn(input.id)) await stop(ctx, input)
    },
    async remove(ctx, id) {
      if (isOwn(id)) await remove(ctx, id)
    },
    get(id) {
      const container = deps.table.resolve(own(id))
      // As in lists: one that is still being made is nobody's yet.
      if (container.phase === 'creating') throw new RuntimeError('not-found', `container "${id}" not found`)
      return container
    },
    list: filter => listContainers(deps.table, owner, filter),
    execSync: async (ctx, input) => execSync(ctx, { ...input, id: own(input.id) }),
    reopenLog: async (ctx, id) => reopenLog(ctx, own(id)),
    updateResources: async (ctx, input) => updateResources(ctx, { ...input, id: own(input.id) }),
  }
}
