import { lstat, mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ctx, detached } from '#base/context'
import { errnoOf, RuntimeError, withContext } from '#base/errors'
import { fileError } from '#base/files'
import type { Ids } from '#base/ids'
import type { Host } from '#shim/host'
import type { OpenCheckpoint } from '../containers/checkpoint-source.ts'
import type { EngineLimits } from '../engine-config.ts'
import { replaceCapturedHostname } from './captured-hostname.ts'
import { compareSpec } from './compare-spec.ts'
import { deletePaths } from './delete-paths.ts'
import { readConfigDump, readDeletedFiles, readSpecDump } from './dumps.ts'
import { layout } from './layout.ts'
import { checkpointLimits } from './limits.ts'
import type { OperationsJournal } from './operations-journal.ts'
import { unpackArchive } from './unpack-archive.ts'

export interface OpenDeps {
  readonly host: Host
  readonly unpackProgram: string
  readonly limits: EngineLimits
  readonly journal: OperationsJournal
  readonly ids: Pick<Ids, 'token'>
}

/** Files without which CRIU and OCI runtimes cannot begin. */
const neededImages = ['inventory.img', 'pstree.img', 'descriptors.json']

/**
 * Unpacks a checkpoint archive, which anybody may have made, and looks whether it is one. The caller closes it.
 * Errors: `not-found`, `invalid-argument` with what is wrong, `resource-exhausted`.
 */
export async function openArchive(ctx: Ctx, deps: OpenDeps, archive: string): Promise<OpenCheckpoint> {
  await requireFile(archive)
  const timeoutMs = checkpointLimits.restoreTimeoutMs
  return open(ctx, deps, {
    what: archive,
    bring: directory => unpackArchive(ctx, deps, { archive, directory, limits: deps.limits, timeoutMs }),
  })
}

/** The same with the unpacked layer of an image, which stays as it is. */
export function openLayer(ctx: Ctx, deps: OpenDeps, layer: string): Promise<OpenCheckpoint> {
  return open(ctx, deps, {
    what: 'in the image',
    bring: directory => deps.host.copyFromRoot(ctx, { root: layer, source: '/', target: directory }),
  })
}

async function open(
  ctx: Ctx,
  deps: OpenDeps,
  from: { readonly what: string; readonly bring: (directory: string) => Promise<void> },
): Promise<OpenCheckpoint> {
  const token = deps.ids.token()
  const close = (closeCtx: Ctx): Promise<void> => deps.journal.end(closeCtx, token)
  const own = await deps.journal.begin(token, { containers: [], partial: [] })
  try {
    const directory = join(own, 'archive')
    await makeDirectory(directory)
    await from.bring(directory)
    return { ...(await readCheckpoint(deps, directory)), close }
  } catch (err) {
    await close(detached(ctx, checkpointLimits.pauseTimeoutMs))
    throw withContext(`cannot use the checkpoint ${from.what}`, err)
  }
}

async function readCheckpoint(deps: OpenDeps, directory: string): Promise<Omit<OpenCheckpoint, 'close'>> {
  const images = join(directory, layout.images)
  const changes = join(directory, layout.changes)
  const config = await readConfigDump(directory)
  const spec = await readSpecDump(directory)
  const deleted = await readDeletedFiles(directory)
  await checkImages(images)
  const hasChanges = (await kindOf(changes)) === 'file'
  return {
    name: config.name,
    imageReferences: [config.rootfsImage, config.rootfsImageRef, config.rootfsImageName].filter(Boolean),
    check(made, isStrict) {
      compareSpec(spec, made, isStrict)
    },
    async fill(ctx, upper) {
      if (!hasChanges) return
      const timeoutMs = checkpointLimits.restoreTimeoutMs
      await unpackArchive(ctx, deps, { archive: changes, directory: upper, limits: deps.limits, timeoutMs })
    },
    deleteIn: (ctx, rootfs) => deletePaths(ctx, deps.host, { root: rootfs, paths: deleted }),
    async moveImages({ target, hostname }) {
      await replaceCapturedHostname(images, hostname)
      try {
        await rename(images, target)
      } catch (err) {
        throw fileError(`cannot move the images of the checkpoint to ${target}`, err)
      }
    },
  }
}

/** Nothing but plain files: what CRIU opens as root must not lead out of the directory. */
async function checkImages(images: string): Promise<void> {
  if ((await kindOf(images)) !== 'directory') {
    throw new RuntimeError('invalid-argument', `it has no directory "${layout.images}"`)
  }
  const entries = await readdir(images, { withFileTypes: true })
  if (entries.length > checkpointLimits.imageFiles) {
    throw new RuntimeError('invalid-argument', `it has more than ${checkpointLimits.imageFiles} images`)
  }
  for (const entry of entries) {
    if (entry.isFile()) continue
    throw new RuntimeError('invalid-argument', `"${layout.images}/${entry.name}" is not a plain file`)
  }
  const names = new Set(entries.map(entry => entry.name))
  const missing = neededImages.find(name => !names.has(name))
  if (missing !== undefined) {
    throw new RuntimeError('invalid-argument', `it has no "${layout.images}/${missing}"`)
  }
}

async function requireFile(path: string): Promise<void> {
  const kind = await kindOf(path)
  if (kind === 'file') return
  if (kind === undefined) throw new RuntimeError('not-found', `there is no checkpoint ${path}`)
  throw new RuntimeError('invalid-argument', `${path} is not a regular file, so it is no checkpoint`)
}

async function kindOf(path: string): Promise<'file' | 'directory' | 'other' | undefined> {
  try {
    const stats = await lstat(path)
    if (stats.isFile()) return 'file'
    return stats.isDirectory() ? 'directory' : 'other'
  } catch (err) {
    if (errnoOf(err) === 'ENOENT' || errnoOf(err) === 'ENOTDIR') return undefined
    throw fileError(`cannot look at ${path}`, err)
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (err) {
    throw fileError(`cannot make ${path}`, err)
  }
}
