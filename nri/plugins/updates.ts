import { type Ctx, detached, orAborted } from '#base/context'
import { messageOf, RuntimeError, withContext } from '#base/errors'
import { createLimiter } from '#base/locks'
import type { Log } from '#base/log'
import type { PluginHost } from '#engine/plugins/plugins'
import type { api } from '#nri-proto'
import { toResources } from '../convert/resources.ts'

type Update = api.ContainerUpdate.$Properties
type Eviction = api.ContainerEviction.$Properties

/** Changes that plugins want of containers that exist. */
export interface Updates {
  /** One after the other. Errors: the first that fails and may not. */
  apply(ctx: Ctx, updates: readonly Update[]): Promise<void>
  /** All; answers those that failed. */
  applyAll(ctx: Ctx, updates: readonly Update[]): Promise<readonly Update[]>
  /**
   * The same, when the caller holds what an update may need: the work goes on behind its back, and what fails is
   * logged.
   */
  applyLater(updates: readonly Update[]): void
  evictLater(evictions: readonly Eviction[]): void
}

/** One update may wait for a container that is being started or removed. */
const updateTimeoutMs = 10_000
const evictionTimeoutMs = 120_000
/** Updates and evictions that wait; more are given up. */
const maxWaiting = 1024

export function createUpdates(host: PluginHost, log: Log): Updates {
  const later = createQueue(log)
  const background: Ctx = { signal: new AbortController().signal, log }

  async function applyAll(ctx: Ctx, updates: readonly Update[]): Promise<readonly Update[]> {
    const failed: Update[] = []
    for (const update of updates) {
      try {
        await applyOne(host, ctx, update)
      } catch (err) {
        log.warn({ containerId: update.containerId, err: messageOf(err) }, 'an NRI update failed')
        failed.push(update)
      }
    }
    return failed
  }

  return {
    async apply(ctx, updates) {
      for (const update of updates) {
        try {
          await applyOne(host, ctx, update)
        } catch (err) {
          if (!update.ignoreFailure) throw withContext('an NRI plugin wants an update that fails', err)
          log.warn({ containerId: update.containerId, err: messageOf(err) }, 'an NRI update failed')
        }
      }
    },
    applyAll,
    applyLater(updates) {
      if (updates.length === 0) return
      later('updates', async () => {
        await applyAll(background, updates)
      })
    },
    evictLater(evictions) {
      for (const eviction of evictions) later('eviction', () => evict(host, log, eviction))
    },
  }
}

async function applyOne(host: PluginHost, ctx: Ctx, update: Update): Promise<void> {
  const id = update.containerId ?? ''
  const container = host.container(id)
  if (!container) throw new RuntimeError('not-found', `container "${id}" not found`)
  if (container.phase === 'creating') {
    throw new RuntimeError('failed-precondition', `container "${id}" is still being made`)
  }
  const resources = update.linux?.resources
  if (!resources) return
  const own = detached(ctx, updateTimeoutMs)
  await orAborted(own, host.updateContainer(own, { container, resources: toResources(resources) }))
}

async function evict(host: PluginHost, log: Log, { containerId, reason }: Eviction): Promise<void> {
  const container = host.container(containerId ?? '')
  if (!container) return
  log.warn({ containerId, reason }, 'an NRI plugin evicts the container')
  const own: Ctx = { signal: AbortSignal.timeout(evictionTimeoutMs), log }
  await orAborted(own, host.evict(own, container))
}

/** Runs one piece of work after the other; what fails is logged. */
function createQueue(log: Log): (what: string, work: () => Promise<void>) => void {
  const limiter = createLimiter(1)
  let waiting = 0
  return (what, work) => {
    if (waiting >= maxWaiting) {
      log.error({ what }, 'NRI plugins ask for more than can be done: given up')
      return
    }
    waiting++
    const done = limiter.run(work).catch((err: unknown) => {
      log.error({ what, err: messageOf(err) }, 'what an NRI plugin wants cannot be done')
    })
    void done.finally(() => {
      waiting--
    })
  }
}
