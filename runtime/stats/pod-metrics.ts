import type { Ctx } from '#base/context'
import { cgroupPath } from '../host/cgroup-paths.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import type {
  CgroupDetail,
  ContainerMetrics,
  ContainerStats,
  FileSystemStats,
  PodMetrics,
} from '../model/stats.ts'
import type { BlockDevices } from './block-devices.ts'
import { runningCgroup } from './container-stats.ts'
import { softFilesLimit } from './kernel-text.ts'
import { listPodStats, ownCgroup, type PodStatsDeps } from './pod-stats.ts'
import type { Sampler } from './sampler.ts'
import type { TextFiles } from './text-files.ts'

export interface PodMetricsDeps extends PodStatsDeps {
  readonly details: Sampler<CgroupDetail>
  readonly files: TextFiles
  readonly devices: BlockDevices
}

/** In the order of `pods`. */
export async function listPodMetrics(
  deps: PodMetricsDeps,
  ctx: Ctx,
  pods: readonly Pod[],
): Promise<readonly PodMetrics[]> {
  const [stats, fileSystem] = await Promise.all([
    listPodStats(deps, ctx, pods),
    deps.devices.fileSystem(deps.rootfs.mountpoint),
  ])
  const known = new Map<string, Container>(deps.containers.list({}).map(found => [found.id, found]))
  // One that has gone meanwhile has nothing more to tell.
  const subjects = stats.flatMap(pod =>
    pod.containers.flatMap(found => {
      const container = known.get(found.id)
      return container ? [{ stats: found, container, fileSystem }] : []
    }),
  )
  const [opened, measured] = await Promise.all([
    deps.processes.openFiles(
      ctx,
      subjects.map(({ container }) => runningCgroup(container)),
    ),
    Promise.all(subjects.map(subject => containerMetrics(deps, subject))),
  ])
  const none = { processes: 0, files: 0, sockets: 0 }
  const byId = new Map<string, ContainerMetrics>(
    measured.map((found, index) => [found.stats.id, { ...found, files: opened[index] ?? none }]),
  )
  return stats.map((found, index) => {
    const pod = pods[index]
    return {
      stats: found,
      cgroup: pod ? ownCgroup(deps.layout, pod) : '',
      containers: found.containers.flatMap(({ id }) => byId.get(id) ?? []),
    }
  })
}

interface Subject {
  readonly stats: ContainerStats
  readonly container: Container
  readonly fileSystem: FileSystemStats
}

async function containerMetrics(
  deps: PodMetricsDeps,
  { stats, container, fileSystem }: Subject,
): Promise<Omit<ContainerMetrics, 'files'>> {
  const { id, pid, phase, cgroupsPath } = container
  const [detail, limits] = await Promise.all([
    deps.details.sample(id, runningCgroup(container)),
    phase === 'running' && pid !== undefined ? deps.files.read(`/proc/${pid}/limits`) : '',
  ])
  return {
    stats,
    cgroup: cgroupsPath === '' ? '' : cgroupPath(cgroupsPath),
    detail,
    openFilesLimit: softFilesLimit(limits),
    fileSystem,
  }
}
