import { readdir } from 'node:fs/promises'
import type { Ctx } from '#base/context'
import { errnoOf } from '#base/errors'
import { fileError } from '#base/files'
import { createLimiter, type Limiter } from '#base/locks'
import { cgroupPath } from '../host/cgroup-paths.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import type { ContainerMetrics, ContainerStats, FileSystemStats, PodMetrics } from '../model/stats.ts'
import type { BlockDevices } from './block-devices.ts'
import { type DetailDeps, readCgroupDetail } from './cgroup-detail.ts'
import { cgroupFiles } from './cgroup-figures.ts'
import { softFilesLimit } from './kernel-text.ts'
import { listPodStats, ownCgroup, type PodStatsDeps } from './pod-stats.ts'
import { sampleLimits } from './sampler.ts'
import type { TextFiles } from './text-files.ts'

export interface PodMetricsDeps extends PodStatsDeps {
  readonly files: TextFiles
  readonly devices: BlockDevices
}

const hugepagesPath = '/sys/kernel/mm/hugepages'

/** In the order of `pods`. */
export async function listPodMetrics(
  deps: PodMetricsDeps,
  ctx: Ctx,
  pods: readonly Pod[],
): Promise<readonly PodMetrics[]> {
  const [stats, fileSystem, pageSizes] = await Promise.all([
    listPodStats(deps, ctx, pods),
    deps.devices.fileSystem(deps.rootfs.mountpoint),
    hugepageSizes(hugepagesPath),
  ])
  const known = new Map(deps.containers.list({}).map(container => [container.id, container]))
  const subjects = stats.flatMap(pod =>
    pod.containers.map(found => ({ stats: found, container: known.get(found.id) })),
  )
  const cgroups = subjects.map(({ container }) =>
    container?.phase === 'running' ? container.cgroupsPath : '',
  )
  const opened = await deps.processes.openFiles(ctx, cgroups)
  const detail = { layout: deps.layout, pageSizes, deviceName: (device: string) => deps.devices.name(device) }
  const limiter = createLimiter(sampleLimits.atOnce)
  const measured = await Promise.all(
    subjects.map((subject, index) =>
      containerMetrics(
        { ...deps, detail, limiter },
        { ...subject, fileSystem, files: opened[index] ?? { processes: 0, files: 0, sockets: 0 } },
      ),
    ),
  )
  const byId = new Map(measured.map(found => [found.stats.id, found]))
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
  /** undefined when it has gone meanwhile. */
  readonly container: Container | undefined
  readonly fileSystem: FileSystemStats
  readonly files: ContainerMetrics['files']
}

async function containerMetrics(
  deps: PodMetricsDeps & { readonly detail: DetailDeps; readonly limiter: Limiter },
  { stats, container, fileSystem, files }: Subject,
): Promise<ContainerMetrics> {
  const isRunning = container?.phase === 'running'
  const cgroupsPath = isRunning ? container.cgroupsPath : ''
  const read = cgroupFiles(deps.layout, cgroupsPath, path => deps.files.read(path))
  const [detail, limits] = await deps.limiter.run(() =>
    Promise.all([
      readCgroupDetail(deps.detail, read),
      isRunning && container.pid !== undefined ? deps.files.read(`/proc/${container.pid}/limits`) : '',
    ]),
  )
  return {
    stats,
    cgroup: container && container.cgroupsPath !== '' ? cgroupPath(container.cgroupsPath) : '',
    detail,
    files,
    openFilesLimit: softFilesLimit(limits),
    fileSystem,
  }
}

/** As the files of the hugetlb controller are called; hugepages-2048kB is 2MB. */
async function hugepageSizes(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).flatMap(name => {
      const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1])
      if (!kilobytes) return []
      if (kilobytes >= 1024 * 1024) return [`${kilobytes / 1024 / 1024}GB`]
      return [kilobytes >= 1024 ? `${kilobytes / 1024}MB` : `${kilobytes}KB`]
    })
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw fileError(`cannot read ${path}`, err)
  }
}
