import { isKind, RuntimeError } from '#base/errors'
import type { ContainerDeps } from '../containers/container-deps.ts'
import { runningContainer } from '../containers/running-container.ts'
import type { SessionOperations } from '../model/session.ts'
import { bindSession } from './bind-session.ts'

/** Joins the standard streams of a container's first process. Input goes nowhere if the container takes none. */
export function createAttach(
  deps: Pick<ContainerDeps, 'table' | 'shims' | 'paths'>,
): SessionOperations['attach'] {
  return async (ctx, input) => {
    const container = runningContainer(deps.table, input.containerId)
    const hasStdin = input.hasStdin && container.config.hasStdin
    const { socket } = deps.paths.container(container.id)
    try {
      return bindSession(ctx, await deps.shims.attach(ctx, socket, { hasStdin }))
    } catch (err) {
      if (!isKind(err, 'not-found')) throw err
      throw new RuntimeError('failed-precondition', `container "${container.id}" has ended`, { cause: err })
    }
  }
}
