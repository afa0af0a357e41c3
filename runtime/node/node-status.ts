import type { Ctx } from '#base/context'
import { messageOf } from '#base/errors'
import type { Network } from '#cni/network'
import type { OciRuntimes } from '../containers/container-deps.ts'
import type { UserNamespaces } from '../containers/user-namespaces.ts'
import type { NodeCondition, NodeOperations, RuntimeHandlerStatus } from '../engine.ts'
import type { EngineConfig } from '../engine-config.ts'
import type { CgroupLayout } from '../host/cgroups.ts'

export interface NodeDeps {
  readonly config: Pick<EngineConfig, 'runtimeHandlers' | 'defaultRuntimeHandler'>
  readonly runtimes: OciRuntimes
  readonly userNamespaces: UserNamespaces
  readonly network: Pick<Network, 'condition'>
  readonly cgroups: CgroupLayout
}

/** What the node can do, and whether it can do it now (CRI Status). */
export function nodeStatus(deps: NodeDeps): Pick<NodeOperations, 'status'> {
  return {
    async status(ctx) {
      const names = ['', ...deps.config.runtimeHandlers.map(handler => handler.name)].sort()
      const looks = await Promise.all(names.map(name => lookAtHandler(ctx, deps, name)))
      const reasons = new Set(looks.flatMap(({ reason }) => reason ?? []))
      return {
        runtime: await runtimeCondition(ctx, deps),
        network: networkCondition(deps),
        handlersUsable: handlersCondition([...reasons]),
        cgroupDriver: deps.cgroups.driver,
        handlers: looks.map(({ status }) => status),
        hasSupplementalGroupsPolicy: true,
      }
    },
  }
}

async function runtimeCondition(ctx: Ctx, deps: NodeDeps): Promise<NodeCondition> {
  try {
    await deps.runtimes.find(ctx, deps.config.defaultRuntimeHandler)
    return { isTrue: true, reason: '', message: '' }
  } catch (err) {
    return { isTrue: false, reason: 'OCIRuntimeNotReady', message: messageOf(err) }
  }
}

function networkCondition(deps: NodeDeps): NodeCondition {
  const { isReady, message } = deps.network.condition()
  return { isTrue: isReady, reason: isReady ? '' : 'NetworkPluginNotReady', message }
}

/** A handler that nobody uses yet is no reason to call the node unready. */
function handlersCondition(reasons: readonly string[]): NodeCondition {
  const isTrue = reasons.length === 0
  return { isTrue, reason: isTrue ? '' : 'RuntimeHandlerUnusable', message: reasons.join('; ') }
}

interface HandlerLook {
  readonly status: RuntimeHandlerStatus
  /** Why it cannot be used. */
  readonly reason?: string
}

async function lookAtHandler(ctx: Ctx, deps: NodeDeps, name: string): Promise<HandlerLook> {
  try {
    const { hasRecursiveReadOnlyMounts } = await deps.runtimes.find(ctx, name)
    const problem = await deps.userNamespaces.problem(ctx, name)
    return { status: { name, hasRecursiveReadOnlyMounts, hasUserNamespaces: problem === '' } }
  } catch (err) {
    const status = { name, hasRecursiveReadOnlyMounts: false, hasUserNamespaces: false }
    return name === '' ? { status } : { status, reason: messageOf(err) }
  }
}
