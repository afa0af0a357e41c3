import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import { messageOf } from '#base/errors'
import type { Log } from '#base/log'
import type { Network } from '#cni/network'

const firstRetryMs = 5_000
const longestRetryMs = 300_000

/**
 * Goes on with CNI DELs that failed, until they succeed: a broken plugin must not keep a pod from stopping, and
 * what it holds (addresses, rules) must not be lost. Takes up after a restart where the CNI cache says so.
 */
export interface NetworkJanitor {
  add(containerId: string): void
  /** Ids whose network is still to be released. */
  pending(): readonly string[]
  stop(): Promise<void>
}

export function createNetworkJanitor(deps: {
  readonly network: Pick<Network, 'del'>
  readonly clock: Clock
  readonly log: Log
}): NetworkJanitor {
  const work = new Map<string, Promise<void>>()
  const stopping = new AbortController()
  const ctx: Ctx = { signal: stopping.signal, log: deps.log }

  async function release(containerId: string): Promise<void> {
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(waitMs * 2, longestRetryMs)) {
      try {
        await deps.clock.sleep(waitMs, stopping.signal)
        await deps.network.del(ctx, { containerId, netnsPath: '', args: {}, capabilities: {} })
        deps.log.info({ podId: containerId }, 'network released at last')
        return
      } catch (err) {
        if (stopping.signal.aborted) return
        deps.log.warn(
          { podId: containerId, err: messageOf(err) },
          'network cannot be released, will try again',
        )
      }
    }
  }

  return {
    add(containerId) {
      if (work.has(containerId) || stopping.signal.aborted) return
      const done = release(containerId).finally(() => {
        work.delete(containerId)
      })
      work.set(containerId, done)
    },
    pending: () => [...work.keys()],
    async stop() {
      stopping.abort()
      await Promise.all(work.values())
    },
  }
}
