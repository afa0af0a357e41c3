import type { Ctx } from '#base/context'
import { messageOf } from '#base/errors'
import type { UserNamespaceProbe } from '../host/user-namespace-probe.ts'
import type { OciRuntimes } from './container-deps.ts'

/** Whether pods of a runtime handler can have user namespaces. */
export interface UserNamespaces {
  /** Why they cannot; "" if they can. */
  problem(ctx: Ctx, handler: string): Promise<string>
}

/** Idmapped mounts are made by lighter itself: of the OCI runtime nothing but user namespaces is needed. */
export function createUserNamespaces(deps: {
  readonly runtimes: Pick<OciRuntimes, 'find'>
  readonly probe: UserNamespaceProbe
}): UserNamespaces {
  return {
    async problem(ctx, handler) {
      try {
        const { path, hasUserNamespaces } = await deps.runtimes.find(ctx, handler)
        if (!hasUserNamespaces) return `OCI runtime ${path} does not know user namespaces`
        return await deps.probe.problem(ctx)
      } catch (err) {
        return messageOf(err)
      }
    },
  }
}
