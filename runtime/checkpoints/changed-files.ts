import { type Dirent } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import { checkpointLimits } from './limits.ts'

export interface WritableRootfs {
  /** The overlay's writable layer. */
  readonly upper: string
  /** Where the overlay is mounted. */
  readonly merged: string
  readonly layers: readonly string[]
}

/** Names are one character per byte (latin1): what a file is called need not be UTF-8. */
interface Tree {
  readonly roots: WritableRootfs
  /** Gets every changed file, parents first. */
  readonly add: (path: string) => Promise<void>
  readonly deleted: string[]
  count: number
}

/**
 * What a container changed in its root file system: the names of all that it made or changed go into the file
 * `listPath`, relative and each with a NUL behind it; answered are the files of its image that it deleted. Nothing
 * may write to it meanwhile. A directory is changed when something in it is. Errors: `resource-exhausted`.
 */
export async function listChangedFiles(roots: WritableRootfs, listPath: string): Promise<readonly string[]> {
  const file = await open(listPath, 'wx', 0o600).catch((err: unknown) => {
    throw fileError(`cannot write ${listPath}`, err)
  })
  try {
    const tree: Tree = {
      roots,
      add: async path => {
        await file.write(Buffer.from(`${path}\0`, 'latin1'))
      },
      deleted: [],
      count: 0,
    }
    await walk(tree, '', roots.layers)
    return tree.deleted.map(toUtf8)
  } catch (err) {
    throw fileError(`cannot write ${listPath}`, err)
  } finally {
    await file.close()
  }
}

/** `layers` are those in which the path is a directory. */
async function walk(tree: Tree, path: string, layers: readonly string[]): Promise<void> {
  const present = new Set((await entriesOf(tree.roots.merged, path)).map(entry => entry.name))
  const layerEntries = await Promise.all(layers.map(layer => entriesOf(layer, path)))
  const ofLayers = new Set(layerEntries.flat().map(entry => entry.name))
  for (const name of ofLayers) if (!present.has(name)) tree.deleted.push(join(path, name))
  for (const entry of await entriesOf(tree.roots.upper, path)) {
    // What is in the layer and cannot be seen is a whiteout.
    if (!present.has(entry.name)) continue
    if (++tree.count > checkpointLimits.changedFiles) {
      throw new RuntimeError(
        'resource-exhausted',
        `the container has changed more than ${checkpointLimits.changedFiles} files`,
      )
    }
    const child = join(path, entry.name)
    await tree.add(child)
    if (!entry.isDirectory()) continue
    // Anything but a directory in a layer hides those below it; counting these, too, costs nothing but time.
    const below = layers.filter((_, index) => isDirectoryIn(layerEntries[index] ?? [], entry.name))
    await walk(tree, child, below)
  }
}

function isDirectoryIn(entries: readonly Dirent[], name: string): boolean {
  return entries.some(entry => entry.name === name && entry.isDirectory())
}

async function entriesOf(root: string, path: string): Promise<readonly Dirent[]> {
  const directory = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')])
  try {
    return await readdir(directory, { withFileTypes: true, encoding: 'latin1' })
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw fileError(`cannot read ${directory.toString()}`, err)
  }
}

/** The list of deleted files is JSON. */
function toUtf8(path: string): string {
  const bytes = Buffer.from(path, 'latin1')
  const text = bytes.toString('utf8')
  if (Buffer.from(text).equals(bytes)) return text
  throw new RuntimeError(
    'failed-precondition',
    `the container has deleted "${text}", whose name is not UTF-8: that cannot be written down`,
  )
}
