import { isAbsolute, join } from 'node:path'
import { type Ctx, detached, throwIfAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import type { PodId } from '#base/ids'
import { createUndoStack } from '#base/undo-stack'
import { createCreateContainer } from '../containers/create-container.ts'
import type { CheckpointOperations, PodRestoreInput, RestoredPod } from '../model/checkpoint.ts'
import type { Owner } from '../model/pod.ts'
import { createRemovePodSandbox } from '../pods/remove-pod-sandbox.ts'
import { createRunPodSandbox } from '../pods/run-pod-sandbox.ts'
import type { CheckpointDeps } from './checkpoint-deps.ts'
import { refuseOptions } from './checkpoint-pod.ts'
import { type PodOptions, readPodOptions } from './dumps.ts'
import { checkpointLimits } from './limits.ts'

/**
 * RestorePod: a new sandbox, and in it the containers of the checkpoint, created; StartContainer lets them go on. All or
 * nothing. Errors: `invalid-argument` when the configs are not of these containers, besides those of a sandbox and
 * of containers.
 */
export function createRestorePod(deps: CheckpointDeps, owner: Owner): CheckpointOperations['restorePod'] {
  const runPod = createRunPodSandbox(deps.pods, owner)
  const removePod = createRemovePodSandbox(deps.pods)
  const createContainer = createCreateContainer(deps.containers, owner)

  /** What was begun is not left to itself when the caller goes: it has to be undone, then. */
  function own(ctx: Ctx): Ctx {
    return detached(ctx, checkpointLimits.restoreTimeoutMs)
  }

  async function restoreContainers(
    ctx: Ctx,
    podId: PodId,
    input: PodRestoreInput & { readonly archives: PodOptions['archives'] },
  ): Promise<RestoredPod> {
    const containers: { name: string; id: RestoredPod['containers'][number]['id'] }[] = []
    for (const config of input.containerConfigs) {
      throwIfAborted(ctx)
      const { name } = config.metadata
      const file = input.archives.find(archive => archive.name === name)?.file ?? ''
      const checkpoint = join(input.directory, file)
      containers.push({ name, id: await createContainer(own(ctx), { podId, config, checkpoint }) })
    }
    throwIfAborted(ctx)
    return { podId, containers }
  }

  return async (ctx, input) => {
    const { directory, config, runtimeHandler } = input
    try {
      refuseOptions(input.options)
      if (!isAbsolute(directory)) {
        throw new RuntimeError('invalid-argument', `checkpoint_path "${directory}" is not absolute`)
      }
      const { archives } = await readPodOptions(directory)
      requireSameNames(input, archives)
      await deps.criu.find(ctx)
      const podId = await runPod(own(ctx), { config, runtimeHandler })
      const undo = createUndoStack(ctx.log)
      undo.push('remove pod sandbox', undoCtx => removePod(undoCtx, podId))
      try {
        return await restoreContainers(ctx, podId, { ...input, archives })
      } catch (err) {
        await undo.run()
        throw err
      }
    } catch (err) {
      throw withContext(`cannot restore a pod sandbox from ${directory}`, err)
    }
  }
}

function requireSameNames({ containerConfigs }: PodRestoreInput, archives: PodOptions['archives']): void {
  const wanted = containerConfigs.map(({ metadata }) => metadata.name)
  const there = archives.map(({ name }) => name)
  for (const names of [wanted, there]) {
    const twice = names.find((name, index) => name === '' || names.indexOf(name) !== index)
    if (twice === undefined) continue
    throw new RuntimeError('invalid-argument', `container name "${twice}" is empty or there twice`)
  }
  const extra = wanted.find(name => !there.includes(name))
  if (extra !== undefined) throw new RuntimeError('invalid-argument', `it has no container "${extra}"`)
  const missing = there.find(name => !wanted.includes(name))
  if (missing === undefined && there.length > 0) return
  throw new RuntimeError('invalid-argument', `container_configs has none for "${missing ?? ''}"`)
}
