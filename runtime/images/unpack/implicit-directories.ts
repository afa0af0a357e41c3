import type { Stats } from 'node:fs'
import { chmod, chown, lstat } from 'node:fs/promises'
import { errnoOf } from '#base/errors'
import { fileError } from '#base/files'

/**
 * Mode of a layer's root before unpacking. No image has it, so a root that still has it afterwards had no entry in
 * the tar; the unpacker, being root, does not need it.
 */
export const unsetRootMode = 0o001

const defaultRootMode = 0o755

export interface ImplicitDirectoriesInput {
  /** Root of the unpacked layer. */
  readonly directory: string
  /** Relative to it, one character per byte (latin1); names come from the image and need not be UTF-8. */
  readonly paths: readonly string[]
  /** Roots of the layers below, topmost first. */
  readonly parents: readonly string[]
}

/**
 * Gives directories that a layer has only because something lies in them the mode and owner that they have in the
 * layers below; otherwise an overlay would show 0755 root, say, for /tmp. Links are never followed: a layer's tree
 * is at rest, so a component that is a directory now stays one.
 */
export async function completeImplicitDirectories(input: ImplicitDirectoriesInput): Promise<void> {
  try {
    const root = await lstat(input.directory)
    if ((root.mode & 0o7777) === unsetRootMode) await completeRoot(input.directory, input.parents[0])
    for (const path of input.paths) {
      const target = await findDirectory(input.directory, path)
      if (target) await completeOne(target.path, path, input.parents)
    }
  } catch (err) {
    throw fileError(`cannot complete the directories of layer ${input.directory}`, err)
  }
}

async function completeRoot(directory: string, parent: string | undefined): Promise<void> {
  if (parent === undefined) {
    await chmod(directory, defaultRootMode)
    return
  }
  await copyAttributes(await lstat(parent), directory)
}

async function completeOne(target: Buffer, path: string, parents: readonly string[]): Promise<void> {
  for (const parent of parents) {
    const found = await findDirectory(parent, path)
    if (!found) continue
    await copyAttributes(found.stats, target)
    return
  }
}

export async function copyAttributes(
  from: Pick<Stats, 'uid' | 'gid' | 'mode'>,
  to: string | Buffer,
): Promise<void> {
  await chown(to, from.uid, from.gid)
  // After chown, which takes setuid and setgid bits away.
  await chmod(to, from.mode & 0o7777)
}

async function findDirectory(
  root: string,
  path: string,
): Promise<{ readonly path: Buffer; readonly stats: Stats } | undefined> {
  let current = Buffer.from(root)
  let stats: Stats | undefined
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name === '..') return undefined
    current = Buffer.concat([current, Buffer.from(`/${name}`, 'latin1')])
    stats = await lstatIfExists(current)
    if (!stats?.isDirectory()) return undefined
  }
  return stats && { path: current, stats }
}

async function lstatIfExists(path: Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (err) {
    if (errnoOf(err) === 'ENOENT' || errnoOf(err) === 'ENOTDIR' || errnoOf(err) === 'ENAMETOOLONG') {
      return undefined
    }
    throw err
  }
}
