import { RuntimeError } from '#base/errors'
import { readFileIfExists } from '#base/files'

const limits = { bytes: 64 * 1024 * 1024 } as const

/** One line of /proc/PID/mountinfo (proc(5)). */
export interface MountInfo {
  readonly mountPoint: string
  /** shared:N, master:N, propagate_from:N, unbindable. */
  readonly propagation: readonly string[]
  readonly fileSystem: string
  readonly superOptions: readonly string[]
}

/** The mounts that the daemon sees, in the order in which they were mounted. */
export async function readMounts(path = '/proc/self/mountinfo'): Promise<readonly MountInfo[]> {
  const text = await readFileIfExists(path, limits.bytes)
  if (!text) throw new RuntimeError('internal', `${path} does not exist: is /proc mounted?`)
  return parseMounts(text.toString())
}

export function parseMounts(text: string): readonly MountInfo[] {
  const mounts: MountInfo[] = []
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ', 2)
    if (before === undefined || after === undefined) continue
    const [, , , , mountPoint, , ...propagation] = before.split(' ')
    const [fileSystem, , superOptions] = after.split(' ')
    if (mountPoint === undefined || fileSystem === undefined) continue
    mounts.push({
      mountPoint: unescapeOctal(mountPoint),
      propagation,
      fileSystem,
      superOptions: superOptions?.split(',') ?? [],
    })
  }
  return mounts
}

/** The mount that holds `path` (absolute, without links): of the nearest mount point the last one mounted. */
export function mountOf(mounts: readonly MountInfo[], path: string): MountInfo | undefined {
  let found: MountInfo | undefined
  for (const mount of mounts) {
    const { mountPoint } = mount
    const holds = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`)
    if (holds && (!found || mountPoint.length >= found.mountPoint.length)) found = mount
  }
  return found
}

/** Blanks and backslashes are written as \040 and the like. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
