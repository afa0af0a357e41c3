import type { BigIntStats } from 'node:fs'
import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { posix } from 'node:path'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'

/** A device file of the host. */
export interface HostDevice {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

const deviceLimits = { devices: 4096, depth: 16 } as const

/** Below /dev, but of the host's own mounts and sessions. The container has its own of each. */
const leftOut = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev'])

/** All device files below /dev, for privileged containers. Errors: `resource-exhausted` with too many. */
export async function listHostDevices(root = '/dev'): Promise<readonly HostDevice[]> {
  const found: HostDevice[] = []
  await walk({ directory: root, found, depth: 0, leftOut })
  return found
}

/**
 * The device that `path` is or links to, or all devices below it if it is a directory; with paths below `path`.
 * Errors: `not-found` if there is nothing there, `invalid-argument` if it is no device.
 */
export async function findDevices(path: string): Promise<readonly HostDevice[]> {
  try {
    const target = await realpath(path)
    const stats = await stat(target, { bigint: true })
    const single = deviceOf(path, stats)
    if (single) return [single]
    if (stats.isDirectory()) {
      const found: HostDevice[] = []
      await walk({ directory: target, found, depth: 0, leftOut: new Set() })
      return found.map(device => ({ ...device, path: posix.join(path, posix.relative(target, device.path)) }))
    }
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') {
      throw new RuntimeError('not-found', `device ${path} does not exist on this node`, { cause: err })
    }
    throw fileError(`cannot look at device ${path}`, err)
  }
  throw new RuntimeError('invalid-argument', `${path} is not a device`)
}

interface Walk {
  readonly directory: string
  readonly found: HostDevice[]
  readonly depth: number
  /** Names that are passed over in the first directory. */
  readonly leftOut: ReadonlySet<string>
}

async function walk({ directory, found, depth, leftOut: names }: Walk): Promise<void> {
  if (depth > deviceLimits.depth) return
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (names.has(entry.name)) continue
    const path = posix.join(directory, entry.name)
    if (entry.isDirectory()) await walk({ directory: path, found, depth: depth + 1, leftOut: new Set() })
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) continue
    const stats = await lstat(path, { bigint: true }).catch(() => undefined) // unplugged meanwhile
    const device = stats && deviceOf(path, stats)
    if (!device) continue
    if (found.length >= deviceLimits.devices) {
      throw new RuntimeError(
        'resource-exhausted',
        `more than ${deviceLimits.devices} devices below ${directory}`,
      )
    }
    found.push(device)
  }
}

function deviceOf(path: string, stats: BigIntStats): HostDevice | undefined {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) return undefined
  const number = stats.rdev
  return {
    path,
    type: stats.isCharacterDevice() ? 'c' : 'b',
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)),
    minor: Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n)),
    mode: Number(stats.mode & 0o777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
  }
}
