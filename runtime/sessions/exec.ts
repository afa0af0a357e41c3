import { RuntimeError } from '#base/errors'
import type { ContainerDeps } from '../containers/container-deps.ts'
import { runningContainer } from '../containers/running-container.ts'
import type { SessionOperations } from '../model/session.ts'
import { bindSession } from './bind-session.ts'

/** Runs a command beside the first process of a container, as the same user. */
export function createExec(deps: Pick<ContainerDeps, 'table' | 'execs'>): SessionOperations['exec'] {
  return async (ctx, { containerId, command, hasTty, hasStdin }) => {
    const container = runningContainer(deps.table, containerId)
    if (command.length === 0) throw new RuntimeError('invalid-argument', 'no command to execute')
    const session = await deps.execs.start(ctx, {
      container,
      command,
      purpose: 'session',
      hasTty,
      hasStdin,
    })
    return bindSession(ctx, session)
  }
}
