import { readdir, readFile } from 'node:fs/promises'
import { RuntimeError } from '#base/errors'
import { pathExists } from '#base/files'
import { type MountInfo, readMounts } from './mountinfo.ts'

export type CgroupDriver = 'cgroupfs' | 'systemd'

/** How control groups are mounted on this machine. */
export interface CgroupLayout {
  /** 1 also for hybrid machines, where a v2 hierarchy without the usual controllers is mounted as well. */
  readonly version: 1 | 2
  readonly driver: CgroupDriver
  /** Controller → directory that its hierarchy is mounted on. v1: also `name=systemd`; v2: always the one root. */
  readonly controllers: Readonly<Record<string, string>>
  /** Mount point of the v2 hierarchy, if any. */
  readonly unified: string | undefined
  /** Whether memory.memsw (v1) or memory.swap (v2) exists. */
  readonly hasSwapAccounting: boolean
}

interface CgroupDetection {
  readonly driver: CgroupDriver | 'auto'
  /** Default /proc/self/mountinfo. */
  readonly mountinfoPath?: string
  /** Exists where systemd is PID 1 (sd_booted(3)). */
  readonly systemdPath?: string
}

const limits = { probedGroups: 64 } as const

/** Errors: `failed-precondition` without cgroups, or when systemd is to drive them and does not run. */
export async function detectCgroups(detection: CgroupDetection): Promise<CgroupLayout> {
  const mounts = await readMounts(detection.mountinfoPath)
  const hasSystemd = await pathExists(detection.systemdPath ?? '/run/systemd/system')
  if (detection.driver === 'systemd' && !hasSystemd) {
    throw new RuntimeError(
      'failed-precondition',
      'cgroupDriver is systemd, but systemd does not run on this node: set it to cgroupfs or auto',
    )
  }
  const unified = mounts.find(mount => mount.fileSystem === 'cgroup2')?.mountPoint
  const legacy = legacyControllers(mounts)
  if (Object.keys(legacy).length > 0) {
    const driver = detection.driver === 'auto' ? 'cgroupfs' : detection.driver
    if (driver === 'systemd' && legacy['name=systemd'] === undefined) {
      throw new RuntimeError(
        'failed-precondition',
        'cgroupDriver is systemd, but its cgroup v1 hierarchy (name=systemd) is not mounted: set it to cgroupfs or auto',
      )
    }
    const memory = legacy.memory
    const hasSwapAccounting =
      memory !== undefined && (await pathExists(`${memory}/memory.memsw.limit_in_bytes`))
    return { version: 1, driver, controllers: legacy, unified, hasSwapAccounting }
  }
  if (unified === undefined) {
    throw new RuntimeError('failed-precondition', 'no cgroup file system is mounted on this node')
  }
  const auto = hasSystemd ? 'systemd' : 'cgroupfs'
  return {
    version: 2,
    driver: detection.driver === 'auto' ? auto : detection.driver,
    controllers: await unifiedControllers(unified),
    unified,
    hasSwapAccounting: await hasSwapFiles(unified),
  }
}

function legacyControllers(mounts: readonly MountInfo[]): Readonly<Record<string, string>> {
  const controllers: Record<string, string> = {}
  const flags = new Set(['rw', 'ro', 'none', 'clone_children', 'xattr', 'noprefix', 'cpuset_v2_mode'])
  for (const { fileSystem, mountPoint, superOptions } of mounts) {
    if (fileSystem !== 'cgroup') continue
    for (const option of superOptions) {
      const isController = !flags.has(option) && (!option.includes('=') || option.startsWith('name='))
      // The first mount is the machine's; later ones are copies, such as those inside of containers.
      if (isController) controllers[option] ??= mountPoint
    }
  }
  return controllers
}

async function unifiedControllers(root: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(`${root}/cgroup.controllers`, 'utf8')
  const names = text.split(/\s+/).filter(name => name !== '')
  return Object.fromEntries(names.map(name => [name, root]))
}

/** The root group has no swap files: look at the groups below it until one has memory files. */
async function hasSwapFiles(root: string): Promise<boolean> {
  const entries = await readdir(root, { withFileTypes: true })
  const groups = entries.filter(entry => entry.isDirectory()).slice(0, limits.probedGroups)
  for (const { name } of groups) {
    if (await pathExists(`${root}/${name}/memory.swap.max`)) return true
  }
  return false
}
