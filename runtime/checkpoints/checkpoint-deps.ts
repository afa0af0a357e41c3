import { type Ctx, detached, orAborted, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import { removePath } from '#base/files'
import { createUndoStack } from '#base/undo-stack'
import type { ContainerDeps } from '../containers/container-deps.ts'
import type { Container } from '../model/container.ts'
import type { PodDeps } from '../pods/pod-deps.ts'
import type { CriuFinder } from './criu.ts'
import { checkpointLimits } from './limits.ts'
import { type RuntimeContainer, resumeContainer } from './oci-runtime.ts'
import type { JournalEntry, OperationsJournal } from './operations-journal.ts'

export interface CheckpointDeps {
  readonly pods: PodDeps
  readonly containers: ContainerDeps
  readonly criu: CriuFinder
  readonly journal: OperationsJournal
}

/** Aborts with the caller, or when the time is up (`deadline-exceeded`). */
export function within(ctx: Ctx, timeoutMs: number): Ctx {
  return { log: ctx.log, signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(timeoutMs)]) }
}

/** Errors: `failed-precondition` if it does not run, or has what cannot be put into a checkpoint. */
export function requireCheckpointable(deps: CheckpointDeps, container: Container): void {
  if (container.phase !== 'running') {
    throw new RuntimeError(
      'failed-precondition',
      `container "${container.id}" is ${container.phase}, not running: it cannot be checkpointed`,
    )
  }
  const pod = deps.pods.table.get(container.podId)
  if (pod?.config.namespaces.user?.mode === 'pod') {
    throw new RuntimeError(
      'failed-precondition',
      `container "${container.id}" is in a pod with a user namespace: it cannot be checkpointed`,
    )
  }
}

/** Who runs the container, for the calls of its OCI runtime. */
export async function runtimeOf(
  ctx: Ctx,
  { containers }: CheckpointDeps,
  container: Container,
): Promise<{ readonly name: string; readonly container: RuntimeContainer }> {
  const handler = containers.pods.get(container.podId)?.runtimeHandler ?? ''
  const { path } = await containers.runtimes.find(ctx, handler)
  return {
    name: containers.runtimes.options(handler).name,
    container: {
      id: container.id,
      runtimePath: path,
      runtimeRoot: containers.paths.runtimeRoot,
      hasSystemdCgroup: containers.runtimes.hasSystemdCgroup,
    },
  }
}

/**
 * Runs the work while holding the locks of all these containers, always taken in the same order. A caller that gives up
 * waiting for them gets its reason at once; the work, once begun, ends in its own time.
 */
export async function whileLocked(
  ctx: Ctx,
  deps: CheckpointDeps,
  input: { readonly ids: readonly string[]; readonly work: () => Promise<void> },
): Promise<void> {
  let begin: (() => void) | undefined
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })
  const done = lockAll(deps, [...input.ids].sort(), () => {
    throwIfAborted(ctx)
    begin?.()
    return input.work()
  })
  done.catch(() => undefined)
  await orAborted(ctx, Promise.race([begun, done]))
  await done
}

async function lockAll(
  deps: CheckpointDeps,
  [first, ...others]: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  if (first === undefined) await work()
  else await deps.containers.locks.run(first, () => lockAll(deps, others, work))
}

/** An operation that the journal knows of: what is half-made is taken back, if not now then at the next start. */
export interface Operation {
  /** For what it needs until its end. */
  readonly directory: string
  /** It succeeded. */
  end(ctx: Ctx): Promise<void>
  /** Resumes all its containers, removes what it made. Never throws. */
  undo(ctx: Ctx): Promise<void>
}

export async function beginOperation(deps: CheckpointDeps, entry: JournalEntry): Promise<Operation> {
  const token = deps.containers.ids.token()
  const directory = await deps.journal.begin(token, entry)
  return {
    directory,
    end: ctx => deps.journal.end(detached(ctx, checkpointLimits.pauseTimeoutMs), token),
    async undo(ctx) {
      const undo = createUndoStack(ctx.log)
      undo.push('take back the checkpoint', async undoCtx => {
        for (const container of entry.containers)
          await resumeContainer(undoCtx, deps.containers.host, container)
        for (const path of entry.partial) await removePath(path)
        await deps.journal.end(undoCtx, token)
      })
      await undo.run()
    },
  }
}
