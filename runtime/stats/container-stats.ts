import type { Clock } from '#base/clock'
import { type Ctx, throwIfAborted } from '#base/context'
import { createLimiter } from '#base/locks'
import type { ContainerOperations, StatsOperations } from '../engine.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import type { RootFilesystems } from '../images/image-store.ts'
import type { Container } from '../model/container.ts'
import type { ContainerStats } from '../model/stats.ts'
import { type CgroupFigures, readCgroupFigures } from './cgroup-figures.ts'
import { createLayerUsage } from './layer-usage.ts'

interface ContainerStatsDeps {
  readonly containers: Pick<ContainerOperations, 'get' | 'list'>
  readonly rootfs: Pick<RootFilesystems, 'usage' | 'mountpoint'>
  readonly cgroups: CgroupLayout
  readonly clock: Clock
}

export const statsLimits = {
  /** Figures of a cgroup are as old as this at most. */
  freshMs: 500,
  /** Containers whose cgroups are read at the same time. */
  readsAtOnce: 8,
} as const

interface Sample {
  readonly timestampNs: bigint
  readonly figures: Promise<CgroupFigures>
}

/** Reads what the kernel counted. A container without processes has zeros, and its writable layer. */
export function createContainerStats(deps: ContainerStatsDeps): StatsOperations {
  const limiter = createLimiter(statsLimits.readsAtOnce)
  const samples = new Map<string, Sample>()
  const layers = createLayerUsage(deps)

  function forgetGone(): void {
    const known = new Set<string>(deps.containers.list({}).map(container => container.id))
    for (const id of samples.keys()) if (!known.has(id)) samples.delete(id)
    layers.keepOnly(known)
  }

  function sample(container: Container): Sample {
    const now = deps.clock.now()
    const last = samples.get(container.id)
    if (last && now - last.timestampNs < BigInt(statsLimits.freshMs) * 1_000_000n) return last
    const figures = limiter.run(() => readCgroupFigures(deps.cgroups, container.cgroupsPath))
    const next = { timestampNs: now, figures }
    samples.set(container.id, next)
    figures.catch(() => {
      if (samples.get(container.id) === next) samples.delete(container.id)
    })
    return next
  }

  async function read(ctx: Ctx, container: Container): Promise<ContainerStats> {
    throwIfAborted(ctx)
    const { timestampNs, figures } = sample(container)
    const [counted, layer] = await Promise.all([figures, layers.of(ctx, container.id)])
    return {
      id: container.id,
      timestampNs,
      ...counted,
      writableLayer: layer && { mountpoint: deps.rootfs.mountpoint, ...layer },
    }
  }

  return {
    container: async (ctx, id) => read(ctx, deps.containers.get(id)),
    async containers(ctx, filter) {
      forgetGone()
      const isOpen = filter.id === undefined && filter.phases === undefined
      const wanted = deps.containers.list(isOpen ? { ...filter, phases: livePhases } : filter)
      return Promise.all(wanted.map(container => read(ctx, container)))
    },
  }
}

/** What a list shows that asks for no container and no phase: exited ones use nothing. */
const livePhases: readonly Container['phase'][] = ['created', 'starting', 'running']
