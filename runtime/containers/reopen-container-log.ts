import type { ContainerOperations } from '../engine.ts'
import type { ContainerDeps } from './container-deps.ts'
import { runningContainer } from './running-container.ts'

/** Makes the shim open the log path again after it was rotated away. Only a running container has a writer. */
export function createReopenContainerLog(
  deps: Pick<ContainerDeps, 'table' | 'shims' | 'paths'>,
): ContainerOperations['reopenLog'] {
  return async (ctx, idOrPrefix) => {
    const container = runningContainer(deps.table, idOrPrefix)
    await deps.shims.reopenLog(ctx, deps.paths.container(container.id).socket)
  }
}
