import { RuntimeError } from '#base/errors'
import type { ContainerDeps } from '../containers/container-deps.ts'
import type { Owner } from '../model/pod.ts'
import type { SessionOperations } from '../model/session.ts'

export interface SessionDeps {
  readonly containers: ContainerDeps
}

/** Exec, attach and port-forward into the pods of one owner. */
export function sessionOperations(_deps: SessionDeps, _owner: Owner): SessionOperations {
  const unbuilt = (what: string) =>
    Promise.reject(new RuntimeError('unimplemented', `${what} is not built yet`))
  return {
    exec: () => unbuilt('exec'),
    attach: () => unbuilt('attach'),
    forward: () => unbuilt('port-forward'),
  }
}
