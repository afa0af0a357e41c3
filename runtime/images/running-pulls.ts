import { type Ctx, orAborted, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import type { ImageId, RegistryAuth } from '../model/image.ts'
import { formatReference, parseReference, type Reference } from './reference.ts'

export interface PullInput {
  readonly reference: Reference
  readonly auth: RegistryAuth | undefined
}

/**
 * The pulls that are under way. Callers who ask for the same image with the same credentials share one; it is
 * cancelled when the last of them has gone. A caller who goes gets his answer at once, the tidying goes on here.
 */
export interface RunningPulls {
  pull(
    ctx: Ctx,
    input: { readonly reference: string; readonly auth: RegistryAuth | undefined },
  ): Promise<ImageId>
  /** Cancels all and waits until they have tidied up; later pulls are `unavailable`. */
  stop(): Promise<void>
}

interface RunningPull {
  readonly result: Promise<ImageId>
  readonly abort: AbortController
  callers: number
}

export function createRunningPulls(work: (ctx: Ctx, input: PullInput) => Promise<ImageId>): RunningPulls {
  /** New callers join these. */
  const joinable = new Map<string, RunningPull>()
  /** These have not finished tidying up. */
  const unfinished = new Set<RunningPull>()
  let isStopped = false

  const begin = (key: string, log: Log, input: PullInput): RunningPull => {
    const abort = new AbortController()
    const result = work({ signal: abort.signal, log }, input)
    const pull: RunningPull = { result, abort, callers: 0 }
    joinable.set(key, pull)
    unfinished.add(pull)
    const finish = () => {
      if (joinable.get(key) === pull) joinable.delete(key)
      unfinished.delete(pull)
    }
    result.then(finish, finish)
    return pull
  }

  return {
    async pull(ctx, { reference, auth }) {
      const input = { reference: parseReference(reference), auth }
      throwIfAborted(ctx)
      if (isStopped) throw new RuntimeError('unavailable', 'the image store is being stopped')
      const key = JSON.stringify([formatReference(input.reference), auth])
      const pull = joinable.get(key) ?? begin(key, ctx.log, input)
      pull.callers++
      try {
        return await orAborted(ctx, pull.result)
      } finally {
        pull.callers--
        if (pull.callers === 0 && ctx.signal.aborted) {
          // A retry that comes while this one tidies up begins anew.
          if (joinable.get(key) === pull) joinable.delete(key)
          pull.abort.abort(new RuntimeError('cancelled', `pull of ${reference} was cancelled`))
        }
      }
    },
    async stop() {
      isStopped = true
      const stopping = [...unfinished]
      for (const pull of stopping) {
        pull.abort.abort(new RuntimeError('unavailable', 'the image store is being stopped'))
      }
      await Promise.allSettled(stopping.map(pull => pull.result))
    },
  }
}
