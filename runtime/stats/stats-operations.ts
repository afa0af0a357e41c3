import type { Clock } from '#base/clock'
import { RuntimeError } from '#base/errors'
import type { Host } from '#shim/host'
import type { ContainerOperations, PodFilter, PodOperations, StatsOperations } from '../engine.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import type { RootFilesystems } from '../images/image-store.ts'
import type { Pod } from '../model/pod.ts'
import type { Paths } from '../state/paths.ts'
import { createBlockDevices } from './block-devices.ts'
import { readCgroupDetail } from './cgroup-detail.ts'
import { containerStats, listContainerStats, livePhases } from './container-stats.ts'
import { hugepageSizes } from './hugepage-sizes.ts'
import { createLayerUsage } from './layer-usage.ts'
import { listPodMetrics, type PodMetricsDeps } from './pod-metrics.ts'
import { createPodNetworks } from './pod-network.ts'
import { listPodStats } from './pod-stats.ts'
import { createProcessCounts } from './process-counts.ts'
import { createSampler, statsLook } from './sampler.ts'
import type { TextFiles } from './text-files.ts'

export interface StatsDeps {
  readonly pods: Pick<PodOperations, 'get' | 'list'>
  readonly containers: Pick<ContainerOperations, 'get' | 'list'>
  readonly rootfs: Pick<RootFilesystems, 'usage' | 'mountpoint'>
  readonly host: Pick<Host, 'netDevices' | 'openFiles'>
  readonly paths: Paths
  readonly layout: CgroupLayout
  readonly files: TextFiles
  readonly clock: Clock
}

/** Reads what the kernel counted. Without processes there are zeros, and the writable layer. */
export function statsOperations(deps: StatsDeps): StatsOperations {
  const layers = createLayerUsage(deps)
  const networks = createPodNetworks(deps)
  const sampler = createSampler({ ...deps, look: statsLook(deps) })
  const devices = createBlockDevices()
  const detail = {
    layout: deps.layout,
    pageSizes: () => hugepageSizes(),
    deviceName: (device: string) => devices.name(device),
  }
  const details = createSampler({ ...deps, look: read => readCgroupDetail(detail, read) })
  const parts: PodMetricsDeps = {
    ...deps,
    layers,
    networks,
    sampler,
    details,
    processes: createProcessCounts(deps),
    devices,
  }

  function forgetGone(): void {
    const containers = new Set<string>(deps.containers.list({}).map(({ id }) => id))
    const pods = new Set<string>(deps.pods.list({}).map(({ id }) => id))
    layers.keepOnly(containers)
    networks.keepOnly(pods)
    sampler.keepOnly(new Set([...containers, ...pods]))
    details.keepOnly(containers)
  }

  return {
    async container(ctx, id) {
      forgetGone()
      return containerStats(parts, ctx, deps.containers.get(id))
    },
    async containers(ctx, filter) {
      forgetGone()
      const isOpen = filter.id === undefined && filter.phases === undefined
      const wanted = deps.containers.list(isOpen ? { ...filter, phases: livePhases } : filter)
      return listContainerStats(parts, ctx, wanted)
    },
    async pod(ctx, id) {
      forgetGone()
      const pod = deps.pods.get(id)
      const [stats] = await listPodStats(parts, ctx, [pod])
      // One pod was asked for, so there is one answer.
      if (!stats) throw new RuntimeError('internal', `no statistics of pod sandbox "${pod.id}"`)
      return stats
    },
    async pods(ctx, filter) {
      forgetGone()
      return listPodStats(parts, ctx, shownPods(deps.pods, filter))
    },
    async metrics(ctx) {
      forgetGone()
      return listPodMetrics(parts, ctx, shownPods(deps.pods, {}))
    },
  }
}

/** What a list shows that asks for no pod and no state: the others use nothing. */
function shownPods(pods: Pick<PodOperations, 'list'>, filter: PodFilter): readonly Pod[] {
  const isOpen = filter.id === undefined && filter.isReady === undefined
  return pods.list(isOpen ? { ...filter, isReady: true } : filter)
}
