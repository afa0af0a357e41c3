import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import type { Host } from '#shim/host'

/** So many paths fit into one request of the host helper. */
const pathsAtOnce = 256

/**
 * Deletes files of a root file system that nobody uses yet. A path that leads over a link is passed over: it does not
 * name a file in there. Errors: `invalid-argument` for one that climbs out.
 */
export async function deletePaths(
  ctx: Ctx,
  host: Pick<Host, 'removeTree'>,
  { root, paths }: { readonly root: string; readonly paths: readonly string[] },
): Promise<void> {
  let batch: string[] = []
  for (const path of paths) {
    const parts = partsOf(path)
    if (parts.length === 0 || !(await isPlainPath(root, parts.slice(0, -1)))) continue
    batch.push(join(root, ...parts))
    if (batch.length < pathsAtOnce) continue
    await host.removeTree(ctx, batch)
    batch = []
  }
  if (batch.length > 0) await host.removeTree(ctx, batch)
}

function partsOf(path: string): readonly string[] {
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (!parts.includes('..') && !path.includes('\0')) return parts
  throw new RuntimeError('invalid-argument', `the list of deleted files has "${path}"`)
}

/** Every part is a directory, and no link. */
async function isPlainPath(root: string, parts: readonly string[]): Promise<boolean> {
  let path = root
  for (const part of parts) {
    path = join(path, part)
    try {
      if (!(await lstat(path)).isDirectory()) return false
    } catch (err) {
      if (errnoOf(err) === 'ENOENT') return false
      throw fileError(`cannot look at ${path}`, err)
    }
  }
  return true
}
