import { readlink, stat, statfs } from 'node:fs/promises'
import { posix } from 'node:path'
import { errnoOf } from '#base/errors'
import { fileError } from '#base/files'
import type { FileSystemStats } from '../model/stats.ts'

const limits = { names: 1024 } as const

export interface BlockDevices {
  /** `8:0` → /dev/sda; the numbers themselves for a device that is none (tmpfs, btrfs). */
  name(device: string): Promise<string>
  /** Of the file system that holds the path. */
  fileSystem(path: string): Promise<FileSystemStats>
}

export function createBlockDevices(sysPath = '/sys/dev/block'): BlockDevices {
  const names = new Map<string, string>()

  async function name(device: string): Promise<string> {
    const known = names.get(device)
    if (known !== undefined) return known
    if (names.size >= limits.names) names.clear()
    const found = await deviceName(`${sysPath}/${device}`)
    names.set(device, found ?? device)
    return found ?? device
  }

  return {
    name,
    async fileSystem(path) {
      try {
        const [{ blocks, bsize, files, ffree }, { dev }] = await Promise.all([statfs(path), stat(path)])
        const device = await name(`${deviceMajor(dev)}:${deviceMinor(dev)}`)
        return { device, bytes: blocks * bsize, inodes: files, inodesFree: ffree }
      } catch (err) {
        throw fileError(`cannot measure the file system of ${path}`, err)
      }
    },
  }
}

async function deviceName(path: string): Promise<string | undefined> {
  try {
    return `/dev/${posix.basename(await readlink(path))}`
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return undefined
    throw err
  }
}

/** How the kernel packs both numbers (makedev(3)); bits above the 32nd of the major are not used by it. */
function deviceMajor(dev: number): number {
  return Math.floor(dev / 256) & 0xfff
}

function deviceMinor(dev: number): number {
  return (dev & 0xff) | (Math.floor(dev / 4096) & 0xfff00)
}
