import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import { messageOf } from '#base/errors'
import type { Log } from '#base/log'
import { subjectOf } from './chain.ts'
import type { ConfList } from './conf-list.ts'
import type { ConfWatch } from './conf-watch.ts'
import type { Invoke } from './invoke.ts'
import { cniLimits } from './limits.ts'
import type { NetworkCondition } from './network.ts'
import { findPlugin } from './plugin-path.ts'
import type { PluginVersions } from './plugin-versions.ts'
import { renderRequest } from './request.ts'
import { isAtLeast } from './version.ts'

/** Whether ADD can be expected to work, from what is known already. */
export interface Status {
  /** Asks the conf directory and the plugins; joins a running look. Never rejects. */
  look(): Promise<void>
  /** Never waits; begins a look in the background when the last one is older than `statusTtlMs`. */
  condition(): NetworkCondition
  stop(): Promise<void>
}

interface StatusDeps {
  readonly binDirs: readonly string[]
  readonly conf: ConfWatch
  readonly versions: PluginVersions
  readonly invoke: Invoke
  readonly clock: Clock
  readonly log: Log
}

interface Look {
  readonly list: ConfList | undefined
  /** When it began. */
  readonly atNs: bigint
  readonly condition: NetworkCondition
}

export function createStatus(deps: StatusDeps): Status {
  const stopped = new AbortController()
  const ctx: Ctx = { signal: stopped.signal, log: deps.log }
  let last: Look | undefined
  let running: Promise<void> | undefined

  async function lookNow(): Promise<void> {
    const atNs = deps.clock.now()
    await deps.conf.reload()
    const { list, problem } = deps.conf.current()
    const condition = list ? await ask(deps, ctx, list) : notReady(problem)
    if (stopped.signal.aborted) return
    if (last?.condition.message !== condition.message && list) {
      deps.log.info({ network: list.name, problem: condition.message }, 'CNI plugins answered')
    }
    last = { list, condition, atNs }
  }

  function look(): Promise<void> {
    running ??= lookNow().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    look,
    condition() {
      const { list, problem } = deps.conf.current()
      const isOld = !last || deps.clock.now() - last.atNs > BigInt(cniLimits.statusTtlMs) * 1_000_000n
      if ((isOld || last?.list !== list) && !stopped.signal.aborted) void look()
      if (!list) return notReady(problem)
      return last?.list === list ? last.condition : notReady(`CNI plugins of ${list.file} are being asked`)
    },
    async stop() {
      stopped.abort()
      await running
    },
  }
}

function notReady(message: string): NetworkCondition {
  return { isReady: false, message }
}

/** VERSION for every binary that has changed, the IPAM binaries must be there; STATUS where the list speaks 1.1. */
async function ask(deps: StatusDeps, ctx: Ctx, list: ConfList): Promise<NetworkCondition> {
  try {
    const version = await deps.versions.verify(ctx, list)
    for (const { ipamType } of list.plugins)
      if (ipamType !== undefined) await findPlugin(deps.binDirs, ipamType)
    if (isAtLeast(version, '1.1.0')) {
      for (const plugin of list.plugins) {
        const { path } = await findPlugin(deps.binDirs, plugin.type)
        const stdin = renderRequest({ list, plugin, version })
        await deps.invoke(ctx, { path, subject: subjectOf(list, plugin), command: 'STATUS', stdin })
      }
    }
    return { isReady: true, message: '' }
  } catch (err) {
    return notReady(messageOf(err))
  }
}
