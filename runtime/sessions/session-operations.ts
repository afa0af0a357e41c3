import { RuntimeError } from '#base/errors'
import type { Ids } from '#base/ids'
import type { Host } from '#shim/host'
import type { ContainerDeps } from '../containers/container-deps.ts'
import type { Owner } from '../model/pod.ts'
import type { SessionOperations } from '../model/session.ts'
import { createAttach } from './attach.ts'
import { createExec } from './exec.ts'
import { createForward } from './forward.ts'

export interface SessionDeps {
  readonly containers: Pick<ContainerDeps, 'table' | 'pods' | 'execs' | 'shims' | 'paths'>
  readonly host: Pick<Host, 'forward'>
  readonly ids: Pick<Ids, 'token'>
}

/** Exec, attach and port-forward into the pods of one owner; the others' are not there. */
export function sessionOperations({ containers, host, ids }: SessionDeps, owner: Owner): SessionOperations {
  const { table, pods, paths } = containers
  const ownContainer = (id: string): string => {
    if (table.find(id)?.owner === owner) return id
    throw new RuntimeError('not-found', `container "${id}" not found`)
  }
  const ownPod = (id: string): string => {
    if (pods.find(id)?.owner === owner) return id
    throw new RuntimeError('not-found', `pod sandbox "${id}" not found`)
  }
  const exec = createExec(containers)
  const attach = createAttach(containers)
  const forward = createForward({ pods, host, paths, ids })
  return {
    exec: async (ctx, input) => exec(ctx, { ...input, containerId: ownContainer(input.containerId) }),
    attach: async (ctx, input) => attach(ctx, { ...input, containerId: ownContainer(input.containerId) }),
    forward: async (ctx, input) => forward(ctx, { ...input, podId: ownPod(input.podId) }),
  }
}
