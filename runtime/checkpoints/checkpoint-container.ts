import { link, open, unlink } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { type Ctx, throwIfAborted } from '#base/context'
import { errnoOf, RuntimeError, withContext } from '#base/errors'
import { fileError, pathExists } from '#base/files'
import type { ContainerId } from '#base/ids'
import type { CheckpointOperations } from '../model/checkpoint.ts'
import { captureContainer, packCapture } from './capture.ts'
import {
  beginOperation,
  type CheckpointDeps,
  requireCheckpointable,
  runtimeOf,
  whileLocked,
  within,
} from './checkpoint-deps.ts'
import { whilePaused } from './frozen.ts'
import { checkpointLimits } from './limits.ts'

/**
 * CheckpointContainer: the container is paused while it is captured, and goes on while the archive is packed. The
 * archive appears under its name when it is whole.
 */
export function createCheckpointContainer(deps: CheckpointDeps): CheckpointOperations['container'] {
  return async (ctx, { id, location, timeoutMs }) => {
    const container = deps.containers.table.resolve(id)
    const limit = timeoutMs || checkpointLimits.defaultTimeoutMs
    const own = within(ctx, limit)
    try {
      requireCheckpointable(deps, container)
      await checkLocation(location)
      const work = (): Promise<void> =>
        checkpoint(deps, own, { id: container.id, location, timeoutMs: limit })
      await whileLocked(own, deps, { ids: [container.id], work })
    } catch (err) {
      throw withContext(`cannot checkpoint container "${container.id}"`, err)
    }
  }
}

async function checkLocation(location: string): Promise<void> {
  if (!isAbsolute(location) || location.endsWith('/')) {
    throw new RuntimeError('invalid-argument', `location "${location}" is not the absolute path of a file`)
  }
  if (await pathExists(location)) {
    throw new RuntimeError('already-exists', `there is a ${location} already: checkpoints replace nothing`)
  }
  if (await pathExists(dirname(location))) return
  throw new RuntimeError('failed-precondition', `there is no directory ${dirname(location)}`)
}

async function checkpoint(
  deps: CheckpointDeps,
  ctx: Ctx,
  input: { readonly id: ContainerId; readonly location: string; readonly timeoutMs: number },
): Promise<void> {
  const { location, timeoutMs } = input
  const container = deps.containers.table.resolve(input.id)
  requireCheckpointable(deps, container)
  const criu = await deps.criu.find(ctx)
  const runtime = await runtimeOf(ctx, deps, container)
  const partial = join(dirname(location), `.${deps.containers.ids.token()}.partial`)
  const operation = await beginOperation(deps, { containers: [runtime.container], partial: [partial] })
  try {
    const directory = join(operation.directory, 'capture')
    const work = (): Promise<void> =>
      captureContainer(ctx, deps.containers, { container, runtime, criu, directory, timeoutMs })
    await whilePaused(ctx, deps.containers.host, { containers: [runtime.container], work })
    await makeFile(partial)
    await packCapture(ctx, deps.containers, { directory, archive: partial, timeoutMs })
    throwIfAborted(ctx)
    await publish(partial, location)
  } catch (err) {
    await operation.undo(ctx)
    throw err
  }
  await operation.end(ctx)
}

/** Memory is secret. */
async function makeFile(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close()
  } catch (err) {
    throw fileError(`cannot write ${path}`, err)
  }
}

/** Gives the finished file its name, unless somebody has taken that. */
async function publish(partial: string, location: string): Promise<void> {
  try {
    const file = await open(partial, 'r+')
    await file.datasync().finally(() => file.close())
    await link(partial, location)
    await unlink(partial)
  } catch (err) {
    if (errnoOf(err) === 'EEXIST') {
      throw new RuntimeError('already-exists', `there is a ${location} already: checkpoints replace nothing`)
    }
    throw fileError(`cannot write ${location}`, err)
  }
}
