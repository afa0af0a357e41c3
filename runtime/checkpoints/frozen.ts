import { type Ctx, detached } from '#base/context'
import { messageOf, RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'
import { checkpointLimits } from './limits.ts'
import { pauseContainer, type RuntimeContainer, resumeContainer } from './oci-runtime.ts'

/**
 * Runs the work while all containers are paused, and resumes all of them however it ends, also after the deadline of
 * the caller. Errors: those of the work; `internal` if one cannot be resumed.
 */
export async function whilePaused(
  ctx: Ctx,
  programs: Programs,
  input: { readonly containers: readonly RuntimeContainer[]; readonly work: () => Promise<void> },
): Promise<void> {
  let failure: { readonly err: unknown } | undefined
  const begun: RuntimeContainer[] = []
  try {
    for (const container of input.containers) {
      begun.push(container) // before: a pause that is interrupted may have half-succeeded
      await pauseContainer(ctx, programs, container)
    }
    await input.work()
  } catch (err) {
    failure = { err }
  }
  const stuck = await resumeAll(ctx, programs, begun)
  if (failure) throw failure.err
  if (stuck.length > 0) throw new RuntimeError('internal', stuck.join('; '))
}

/** Answers what went wrong. */
async function resumeAll(
  ctx: Ctx,
  programs: Programs,
  containers: readonly RuntimeContainer[],
): Promise<readonly string[]> {
  const own = detached(ctx, checkpointLimits.pauseTimeoutMs)
  const results = await Promise.allSettled(
    containers.map(container => resumeContainer(own, programs, container)),
  )
  const stuck = results.flatMap(result => (result.status === 'rejected' ? [messageOf(result.reason)] : []))
  for (const err of stuck) ctx.log.error({ err }, 'a container stays paused')
  return stuck
}
