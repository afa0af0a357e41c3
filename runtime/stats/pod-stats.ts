import type { Clock } from '#base/clock'
import { type Ctx, throwIfAborted } from '#base/context'
import { cgroupParentPath } from '../host/cgroup-paths.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import type { CgroupStats, ContainerStats, NetworkStats, PodStats } from '../model/stats.ts'
import { type ContainerStatsDeps, listContainerStats, livePhases, runningCgroup } from './container-stats.ts'
import type { PodNetworks } from './pod-network.ts'
import type { ProcessCounts } from './process-counts.ts'

export interface PodStatsDeps extends ContainerStatsDeps {
  readonly networks: PodNetworks
  readonly processes: ProcessCounts
  readonly layout: CgroupLayout
  readonly clock: Clock
}

/** In the order of `pods`. */
export async function listPodStats(
  deps: PodStatsDeps,
  ctx: Ctx,
  pods: readonly Pod[],
): Promise<readonly PodStats[]> {
  throwIfAborted(ctx)
  const members = membersOf(deps, pods)
  const flat = members.flat()
  const cgroups = pods.map(pod => ownCgroup(deps.layout, pod))
  const [networks, stats, counts, own] = await Promise.all([
    deps.networks.of(ctx, pods),
    listContainerStats(deps, ctx, flat),
    deps.processes.of(ctx, [...cgroups, ...flat.map(runningCgroup)]),
    Promise.all(pods.map((pod, index) => sampleOwn(deps, pod, cgroups[index] ?? ''))),
  ])
  const statsById = new Map(stats.map(found => [found.id, found]))
  const countById = new Map(flat.map((container, index) => [container.id, counts[pods.length + index] ?? 0]))
  return pods.map((pod, index) => {
    const containers = (members[index] ?? []).flatMap(({ id }) => statsById.get(id) ?? [])
    const inContainers = containers.reduce((sum, { id }) => sum + (countById.get(id) ?? 0), 0)
    return podStats(deps, {
      pod,
      containers,
      own: own[index],
      network: networks[index],
      processes:
        cgroups[index] === '' ? inContainers + (pod.pausePid === undefined ? 0 : 1) : (counts[index] ?? 0),
    })
  })
}

/** The containers that statistics are about, for each pod. */
function membersOf({ containers }: PodStatsDeps, pods: readonly Pod[]): readonly (readonly Container[])[] {
  const members = new Map<string, Container[]>(pods.map(pod => [pod.id, []]))
  for (const container of containers.list({ phases: livePhases }))
    members.get(container.podId)?.push(container)
  return pods.map(pod => members.get(pod.id) ?? [])
}

/**
 * The cgroup that a kubelet made for this pod alone: its name ends with the pod's uid, in the systemd driver with
 * underscores (kubelet: cm/helpers_linux.go). "" for a parent that other pods may have, too.
 */
export function ownCgroup(layout: CgroupLayout, { config, phase }: Pod): string {
  const { uid } = config.metadata
  const path = cgroupParentPath(layout, config.cgroupParent)
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.slice$/, '')
  const isOwn = uid !== '' && (name.endsWith(uid) || name.endsWith(uid.replaceAll('-', '_')))
  return isOwn && phase === 'ready' ? path : ''
}

async function sampleOwn(deps: PodStatsDeps, pod: Pod, cgroup: string): Promise<CgroupStats | undefined> {
  return cgroup === '' ? undefined : deps.sampler.sample(pod.id, cgroup)
}

interface Findings {
  readonly pod: Pod
  readonly containers: readonly ContainerStats[]
  readonly own: CgroupStats | undefined
  readonly network: NetworkStats | undefined
  readonly processes: number
}

function podStats({ clock }: PodStatsDeps, findings: Findings): PodStats {
  const { pod, containers, own, network, processes } = findings
  const counted = own ?? sumOf(containers, clock.now())
  return { ...counted, id: pod.id, processes, network, containers }
}

/** Of a pod without a cgroup of its own: what its containers use. Pressure does not add up. */
function sumOf(parts: readonly CgroupStats[], nowNs: bigint): CgroupStats {
  const sum = (figure: (part: CgroupStats) => number | undefined): number =>
    parts.reduce((total, part) => total + (figure(part) ?? 0), 0)
  const hasRates = parts.some(part => part.cpu.usageNanoCores !== undefined)
  return {
    timestampNs:
      parts.reduce((latest, part) => (part.timestampNs > latest ? part.timestampNs : latest), 0n) || nowNs,
    cpu: {
      usageNs: parts.reduce((total, part) => total + part.cpu.usageNs, 0n),
      usageNanoCores: hasRates ? sum(part => part.cpu.usageNanoCores) : undefined,
      pressure: undefined,
    },
    memory: {
      usage: sum(part => part.memory.usage),
      workingSet: sum(part => part.memory.workingSet),
      rss: sum(part => part.memory.rss),
      available: undefined,
      pageFaults: sum(part => part.memory.pageFaults),
      majorPageFaults: sum(part => part.memory.majorPageFaults),
      pressure: undefined,
    },
    swap: parts.some(part => part.swap)
      ? { usage: sum(part => part.swap?.usage), available: undefined }
      : undefined,
    ioPressure: undefined,
  }
}
