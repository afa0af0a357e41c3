import { RuntimeError } from '#base/errors'
import type { ContainerDeps } from '../containers/container-deps.ts'
import type { Owner } from '../model/pod.ts'
import type { SessionOperations } from '../model/session.ts'
import { createAttach } from './attach.ts'
import { createExec } from './exec.ts'

export interface SessionDeps {
  readonly containers: ContainerDeps
}

/** Exec, attach and port-forward into the pods of one owner; the others' are not there. */
export function sessionOperations({ containers }: SessionDeps, owner: Owner): SessionOperations {
  const own = (id: string): string => {
    if (containers.table.find(id)?.owner === owner) return id
    throw new RuntimeError('not-found', `container "${id}" not found`)
  }
  const exec = createExec(containers)
  const attach = createAttach(containers)
  return {
    exec: async (ctx, input) => exec(ctx, { ...input, containerId: own(input.containerId) }),
    attach: async (ctx, input) => attach(ctx, { ...input, containerId: own(input.containerId) }),
    forward: () => Promise.reject(new RuntimeError('unimplemented', 'port-forward is not built yet')),
  }
}
