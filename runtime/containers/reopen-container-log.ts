import { RuntimeError } from '#base/errors'
import type { ContainerOperations } from '../engine.ts'
import type { ContainerDeps } from './container-deps.ts'

/** Makes the shim open the log path again after it was rotated away. Only a running container has a writer. */
export function createReopenContainerLog(deps: ContainerDeps): ContainerOperations['reopenLog'] {
  return async (ctx, idOrPrefix) => {
    const container = deps.table.resolve(idOrPrefix)
    if (container.phase !== 'running') {
      throw new RuntimeError(
        'failed-precondition',
        `container "${container.id}" is ${container.phase}, not running`,
      )
    }
    await deps.shims.reopenLog(ctx, deps.paths.container(container.id).socket)
  }
}
