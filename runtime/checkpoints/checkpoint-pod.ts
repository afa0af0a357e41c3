import { readdir, writeFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { type Ctx, throwIfAborted } from '#base/context'
import { errnoOf, RuntimeError, withContext } from '#base/errors'
import { fileError, removePath } from '#base/files'
import { createLimiter } from '#base/locks'
import { settleAll } from '#base/settle'
import type { CheckpointOperations, PodCheckpointInput } from '../model/checkpoint.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { captureContainer, packCapture } from './capture.ts'
import {
  beginOperation,
  type CheckpointDeps,
  requireCheckpointable,
  runtimeOf,
  whileLocked,
  within,
} from './checkpoint-deps.ts'
import type { PodOptions } from './dumps.ts'
import { whilePaused } from './frozen.ts'
import { layout } from './layout.ts'
import { checkpointLimits } from './limits.ts'

/**
 * CheckpointPod: all containers are paused before the first is captured, and until the last one is. The directory gets
 * one archive for each, and two files about the pod; after an error it is empty again.
 */
export function createCheckpointPod(deps: CheckpointDeps): CheckpointOperations['pod'] {
  return async (ctx, input) => {
    const pod = deps.pods.table.resolve(input.podId)
    const own = within(ctx, checkpointLimits.defaultTimeoutMs)
    try {
      refuseOptions(input.options)
      if (pod.phase !== 'ready') {
        throw new RuntimeError('failed-precondition', `it is ${pod.phase}, not ready`)
      }
      const ids = membersOf(deps, pod, input).map(({ id }) => id)
      await checkDirectory(input.directory)
      await whileLocked(own, deps, { ids, work: () => checkpoint(deps, own, { pod, input }) })
    } catch (err) {
      throw withContext(`cannot checkpoint pod sandbox "${pod.id}"`, err)
    }
  }
}

/** lighter has no options of its own. */
export function refuseOptions(options: Readonly<Record<string, string>>): void {
  const [name] = Object.keys(options)
  if (name !== undefined) throw new RuntimeError('invalid-argument', `there is no option "${name}"`)
}

function membersOf(
  deps: CheckpointDeps,
  pod: Pod,
  { containerIds }: PodCheckpointInput,
): readonly Container[] {
  if (containerIds.length === 0 || containerIds.length > checkpointLimits.containersOfPod) {
    throw new RuntimeError(
      'invalid-argument',
      `container_ids names ${containerIds.length} containers, not 1 to ${checkpointLimits.containersOfPod}`,
    )
  }
  const containers = containerIds.map(id => deps.containers.table.resolve(id))
  const names = new Set<string>()
  for (const container of containers) {
    if (container.podId !== pod.id) {
      throw new RuntimeError('invalid-argument', `container "${container.id}" is not in this pod`)
    }
    const { name } = container.config.metadata
    if (names.has(name)) throw new RuntimeError('invalid-argument', `container "${name}" is named twice`)
    names.add(name)
    requireCheckpointable(deps, container)
  }
  return containers
}

async function checkDirectory(directory: string): Promise<void> {
  if (!isAbsolute(directory)) {
    throw new RuntimeError('invalid-argument', `output_path "${directory}" is not absolute`)
  }
  try {
    const [entry] = await readdir(directory)
    if (entry === undefined) return
    throw new RuntimeError('failed-precondition', `output_path ${directory} is not empty: it has "${entry}"`)
  } catch (err) {
    const errno = errnoOf(err)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') {
      throw new RuntimeError('failed-precondition', `output_path ${directory} is not an existing directory`)
    }
    throw fileError(`cannot read ${directory}`, err)
  }
}

interface Member {
  readonly container: Container
  readonly runtime: Awaited<ReturnType<typeof runtimeOf>>
  /** Directory of what is captured, until it is packed into the archive. */
  readonly capture: string
  readonly archive: string
}

async function checkpoint(
  deps: CheckpointDeps,
  ctx: Ctx,
  { pod, input }: { readonly pod: Pod; readonly input: PodCheckpointInput },
): Promise<void> {
  const { directory } = input
  const timeoutMs = checkpointLimits.defaultTimeoutMs
  const criu = await deps.criu.find(ctx)
  const members: readonly Member[] = await Promise.all(
    membersOf(deps, pod, input).map(async container => ({
      container,
      runtime: await runtimeOf(ctx, deps, container),
      capture: join(directory, `${container.id}.partial`),
      archive: join(directory, `${container.id}.tar`),
    })),
  )
  const containers = members.map(({ runtime }) => runtime.container)
  const partial = [
    ...members.flatMap(({ capture, archive }) => [capture, archive]),
    join(directory, layout.podOptions),
    join(directory, layout.pod),
  ]
  const operation = await beginOperation(deps, { containers, partial })
  try {
    await whilePaused(ctx, deps.containers.host, {
      containers,
      work: async () => {
        const turns = createLimiter(checkpointLimits.capturesAtOnce)
        const captureOne = ({ capture, ...one }: Member): Promise<void> =>
          captureContainer(ctx, deps.containers, { ...one, criu, directory: capture, timeoutMs })
        await settleAll(members.map(one => turns.run(() => captureOne(one))))
      },
    })
    for (const { capture, archive } of members) {
      await writeText(archive, '')
      await packCapture(ctx, deps.containers, { directory: capture, archive, timeoutMs })
      await removePath(capture)
    }
    await writeAboutPod(pod, input, members)
    throwIfAborted(ctx)
  } catch (err) {
    await operation.undo(ctx)
    throw err
  }
  await operation.end(ctx)
}

async function writeAboutPod(
  { config }: Pod,
  { directory }: PodCheckpointInput,
  members: readonly { readonly container: Container }[],
): Promise<void> {
  const { name, uid, namespace } = config.metadata
  const options: PodOptions = {
    version: 1,
    archives: members.map(({ container }) => ({
      name: container.config.metadata.name,
      file: `${container.id}.tar`,
    })),
  }
  const pod = { metadata: { name, uid, namespace }, hostname: config.hostname }
  await writeText(join(directory, layout.pod), JSON.stringify(pod, undefined, 2))
  await writeText(join(directory, layout.podOptions), JSON.stringify(options, undefined, 2))
}

async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 })
  } catch (err) {
    throw fileError(`cannot write ${path}`, err)
  }
}
