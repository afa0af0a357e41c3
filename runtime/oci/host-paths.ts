import { mkdir, realpath } from 'node:fs/promises'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import { type MountInfo, mountOf, readMounts } from '../host/mountinfo.ts'
import type { ContainerMount } from '../model/container.ts'

/**
 * What the host paths of mounts really are, links resolved. A path that is not there is made as a directory.
 * Errors: `failed-precondition` for a dangling link, or if mounts cannot propagate as asked.
 */
export async function resolveHostPaths(
  mounts: readonly ContainerMount[],
): Promise<ReadonlyMap<string, string>> {
  const sources = new Map<string, string>()
  for (const { hostPath, image } of mounts) {
    if (image === '' && !sources.has(hostPath)) sources.set(hostPath, await resolveHostPath(hostPath))
  }
  if (mounts.some(mount => mount.propagation !== 'private')) {
    const table = await readMounts()
    for (const mount of mounts) requirePropagation(mount, sources.get(mount.hostPath) ?? '', table)
  }
  return sources
}

async function resolveHostPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (err) {
    if (errnoOf(err) !== 'ENOENT') throw fileError(`cannot look at host_path ${path}`, err)
  }
  try {
    await mkdir(path, { recursive: true, mode: 0o755 })
    return await realpath(path)
  } catch (err) {
    if (errnoOf(err) === 'EEXIST' || errnoOf(err) === 'ENOENT') {
      throw new RuntimeError('failed-precondition', `host_path ${path} is a link to nothing`, { cause: err })
    }
    throw fileError(`cannot make host_path ${path}`, err)
  }
}

/** Without this check such a mount would succeed and then quietly stay apart from the host's. */
function requirePropagation(mount: ContainerMount, source: string, table: readonly MountInfo[]): void {
  if (mount.propagation === 'private') return
  const flags = mountOf(table, source)?.propagation ?? []
  const isShared = flags.some(flag => flag.startsWith('shared:'))
  const isSlave = flags.some(flag => flag.startsWith('master:'))
  if (isShared || (isSlave && mount.propagation === 'host-to-container')) return
  throw new RuntimeError(
    'failed-precondition',
    `host_path ${mount.hostPath} is not on a shared mount, which propagation ${mount.propagation} needs`,
  )
}
