import type { Clock } from '#base/clock'
import { type Ctx, throwIfAborted } from '#base/context'
import { type ErrorKind, isKind, kindOf, messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import { imageLimits } from '../limits.ts'
import type { Peer } from './session.ts'

/** Errors after which the next endpoint may do better. */
const othersMayDoBetter: readonly ErrorKind[] = [
  'not-found',
  'unauthenticated',
  'permission-denied',
  'unavailable',
  'registry-unavailable',
  'data-loss',
  'failed-precondition',
]

export interface PeerRound {
  readonly deps: { readonly clock: Clock; readonly log: Log }
  readonly name: string
  readonly peers: readonly Peer[]
  readonly attempts: number
}

/**
 * Asks the peers in order until one answers; all of them again after a pause if the last one may come back. Errors:
 * the kind of the last one's, `unavailable` as `registry-unavailable`.
 */
export async function overPeers<T>(ctx: Ctx, input: PeerRound, work: (peer: Peer) => Promise<T>): Promise<T> {
  let backoffMs: number = imageLimits.firstBackoffMs
  for (let attempt = 1; ; attempt++) {
    const failures: RuntimeError[] = []
    for (const peer of input.peers) {
      try {
        return await work(peer)
      } catch (err) {
        throwIfAborted(ctx)
        if (!(err instanceof RuntimeError) || !othersMayDoBetter.includes(err.kind)) throw err
        failures.push(err)
      }
    }
    const last = failures.at(-1)
    if (!last || last.kind !== 'unavailable' || attempt >= input.attempts) {
      throw pullError(input.name, failures)
    }
    input.deps.log.debug({ image: input.name, err: messageOf(last), attempt }, 'registry does not answer')
    await input.deps.clock.sleep(backoffMs, ctx.signal)
    backoffMs *= imageLimits.backoffFactor
  }
}

/** The last endpoint is the registry itself: its word decides, what the mirrors said is told as well. */
function pullError(name: string, failures: readonly RuntimeError[]): RuntimeError {
  const last = failures.at(-1)
  if (!last)
    return new RuntimeError('failed-precondition', `no endpoint is configured that may serve ${name}`)
  const kind = isKind(last, 'unavailable') ? 'registry-unavailable' : kindOf(last)
  const text = [...new Set(failures.map(failure => failure.message))].join('; ')
  return new RuntimeError(kind, text, { cause: last })
}
