import type { Clock } from '#base/clock'
import { type Ctx, detached } from '#base/context'
import { batchLimits, type Host } from '#shim/host'
import type { Pod } from '../model/pod.ts'
import type { NetworkStats } from '../model/stats.ts'
import type { Paths } from '../state/paths.ts'
import { parseNetDevices } from './kernel-text.ts'
import { sampleLimits } from './sampler.ts'

export const networkLimits = {
  /** A call waits for what the host reads; the reading itself may outlive the caller. */
  timeoutMs: 10_000,
} as const

/** Traffic of pods with a network namespace of their own, as old as sampleLimits.freshMs at most. */
export interface PodNetworks {
  /** In the order of `pods`; undefined with the host's network, and when the pod is not ready. */
  of(ctx: Ctx, pods: readonly Pod[]): Promise<readonly (NetworkStats | undefined)[]>
  /** Forgets all other pods. */
  keepOnly(ids: ReadonlySet<string>): void
}

interface Entry {
  readonly askedAtNs: bigint
  readonly stats: Promise<NetworkStats | undefined>
}

export function createPodNetworks(deps: {
  readonly host: Pick<Host, 'netDevices'>
  readonly paths: Paths
  readonly clock: Clock
}): PodNetworks {
  const entries = new Map<string, Entry>()

  /** Most pods have no process of their own to look through, so the host reads inside of the pinned namespaces. */
  async function look(ctx: Ctx, pods: readonly Pod[]): Promise<readonly NetworkStats[]> {
    const pins = pods.map(pod => deps.paths.pod(pod.id).network)
    const timestampNs = deps.clock.now()
    const texts = await deps.host.netDevices(detached(ctx, networkLimits.timeoutMs), pins)
    return texts.map(text => ({ timestampNs, interfaces: parseNetDevices(text) }))
  }

  function refresh(ctx: Ctx, pods: readonly Pod[]): void {
    for (let at = 0; at < pods.length; at += batchLimits.paths) {
      const batch = pods.slice(at, at + batchLimits.paths)
      const looked = look(ctx, batch)
      const askedAtNs = deps.clock.now()
      for (const [index, pod] of batch.entries()) {
        const entry = { askedAtNs, stats: looked.then(found => found[index]) }
        entries.set(pod.id, entry)
        // Whoever asked sees the failure; the next one asks again.
        entry.stats.catch(() => {
          if (entries.get(pod.id) === entry) entries.delete(pod.id)
        })
      }
    }
  }

  function isOld(pod: Pod): boolean {
    const entry = entries.get(pod.id)
    const ageNs = entry && deps.clock.now() - entry.askedAtNs
    return ageNs === undefined || ageNs < 0n || ageNs >= BigInt(sampleLimits.freshMs) * 1_000_000n
  }

  return {
    async of(ctx, pods) {
      refresh(
        ctx,
        pods.filter(pod => hasOwnNetwork(pod) && isOld(pod)),
      )
      return Promise.all(pods.map(async pod => (hasOwnNetwork(pod) ? entries.get(pod.id)?.stats : undefined)))
    },
    keepOnly(ids) {
      for (const id of entries.keys()) if (!ids.has(id)) entries.delete(id)
    },
  }
}

function hasOwnNetwork(pod: Pod): boolean {
  return pod.phase === 'ready' && pod.config.namespaces.network !== 'node'
}
