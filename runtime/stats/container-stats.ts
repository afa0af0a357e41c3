import { type Ctx, throwIfAborted } from '#base/context'
import type { ContainerOperations } from '../engine.ts'
import type { RootFilesystems } from '../images/image-store.ts'
import type { Container } from '../model/container.ts'
import type { CgroupStats, ContainerStats } from '../model/stats.ts'
import type { LayerUsage } from './layer-usage.ts'
import type { Sampler } from './sampler.ts'

export interface ContainerStatsDeps {
  readonly containers: Pick<ContainerOperations, 'get' | 'list'>
  readonly rootfs: Pick<RootFilesystems, 'mountpoint'>
  readonly sampler: Sampler<CgroupStats>
  readonly layers: LayerUsage
}

/** What a list shows that asks for no container and no phase: exited ones use nothing. */
export const livePhases: readonly Container['phase'][] = ['created', 'starting', 'running']

/** Of one container; the writable layer is waited for a little while if nothing is known of it. */
export async function containerStats(
  deps: ContainerStatsDeps,
  ctx: Ctx,
  container: Container,
): Promise<ContainerStats> {
  throwIfAborted(ctx)
  const [sampled, layer] = await Promise.all([sample(deps, container), deps.layers.of(ctx, container.id)])
  return {
    ...sampled,
    id: container.id,
    writableLayer: layer && { mountpoint: deps.rootfs.mountpoint, ...layer },
  }
}

/** Of many: never waits for a walk through a layer. */
export async function listContainerStats(
  deps: ContainerStatsDeps,
  ctx: Ctx,
  containers: readonly Container[],
): Promise<readonly ContainerStats[]> {
  throwIfAborted(ctx)
  const { mountpoint } = deps.rootfs
  return Promise.all(
    containers.map(async container => {
      const layer = deps.layers.latest(ctx, container.id)
      const sampled = await sample(deps, container)
      return { ...sampled, id: container.id, writableLayer: layer && { mountpoint, ...layer } }
    }),
  )
}

function sample({ sampler }: ContainerStatsDeps, container: Container): Promise<CgroupStats> {
  return sampler.sample(container.id, runningCgroup(container))
}

/** Only a running container's cgroup is its own: another path stands for none. */
export function runningCgroup({ phase, cgroupsPath }: Container): string {
  return phase === 'running' ? cgroupsPath : ''
}
