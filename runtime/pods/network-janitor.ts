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

export interface NetworkJanitorDeps {
  readonly network: Pick<Network, 'del'>
  /** Called when the network of a pod is released at last. */
  readonly onReleased: (ctx: Ctx, containerId: string) => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

export function createNetworkJanitor(deps: NetworkJanitorDeps): NetworkJanitor {
  const work = new Map<string, Promise<void>>()
  const stopping = new AbortController()
  const ctx: Ctx = { signal: stopping.signal, log: deps.log }

  async function release(containerId: string): Promise<void> {
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(waitMs * 2, longestRetryMs)) {
      try {
        await deps.clock.sleep(waitMs, stopping.signal)
        // "": the path of ADD, where the namespace still is: a plugin can undo more while it is there.
        await deps.network.del(ctx, { containerId, netnsPath: '', args: {}, capabilities: {} })
        await deps.onReleased(ctx, containerId)
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
