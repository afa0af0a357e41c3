import { abortError, type Ctx, orAborted, throwIfAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'

/**
 * Makes each named object at most once, also when clients give up waiting and ask again: an identical retry joins
 * the running operation, and gets the finished object if nobody was there to take it. One that comes while a failed
 * operation is being undone waits for that and starts afresh.
 */
export interface MakeOnce<Id extends string> {
  /**
   * `request` decides what "identical" means. The work goes on when the caller is gone. Errors: those of the work;
   * `already-exists` while the same name is made from another request; when the caller gives up, its reason with the
   * stage that the work is at.
   */
  make(ctx: Ctx, request: MakeRequest, work: Work<Id>): Promise<Id>
  /** The object exists but its maker never got an answer (the daemon died): the next identical request gets it. */
  offer(request: MakeRequest, id: Id): void
  /** The object is in use or gone: it is not handed out any more. */
  withdraw(id: Id): void
  readonly counts: MakeOnceCounts
}

export interface MakeRequest {
  readonly name: string
  readonly input: unknown
}

export type Work<Id extends string> = (making: Making<Id>) => Promise<Id>

/** What the work tells while it is under way. */
export interface Making<Id extends string> {
  begun(id: Id): void
  /** It has failed; what follows takes back what it did. */
  undoing(): void
}

/** Retries since the start of the daemon. */
export interface MakeOnceCounts {
  /** Of those, how many joined an operation that was running. */
  readonly joined: number
  /** How many got what had been made when its caller had left. */
  readonly adopted: number
}

interface Running<Id> {
  readonly print: string
  readonly promise: Promise<Id>
  id: Id | undefined
  isUndoing: boolean
}

export interface MakeOnceInput<Id extends string> {
  /** What is made, for messages. */
  readonly what: string
  /** Step that the making of an object is at; "" if that is not known. */
  readonly stageOf: (id: Id) => string
}

export function createMakeOnce<Id extends string>({ what, stageOf }: MakeOnceInput<Id>): MakeOnce<Id> {
  const running = new Map<string, Running<Id>>()
  const offered = new Map<string, { readonly print: string; readonly id: Id }>()
  const counts = { joined: 0, adopted: 0 }

  function stillMaking(name: string, { id }: Running<Id>): string {
    const stage = id === undefined ? '' : stageOf(id)
    return `${what} "${name}" is still being made${stage && ` (${stage})`}`
  }

  /** What this request has to wait for. Nothing may come between the look and the start. */
  async function joinOrStart(
    ctx: Ctx,
    request: MakeRequest & { readonly print: string },
    work: Work<Id>,
  ): Promise<Running<Id>> {
    for (;;) {
      const found = running.get(request.name)
      if (!found) {
        const started = begin(request.print, work, () => running.delete(request.name))
        running.set(request.name, started)
        return started
      }
      if (!found.isUndoing) {
        if (found.print === request.print) {
          counts.joined++
          return found
        }
        throw new RuntimeError('already-exists', `${stillMaking(request.name, found)}, with another config`)
      }
      await orAborted(
        ctx,
        found.promise.catch(() => undefined),
      )
    }
  }

  return {
    counts,
    async make(ctx, request, work) {
      const print = canonicalJson(request.input)
      const waiting = offered.get(request.name)
      if (waiting?.print === print) {
        offered.delete(request.name)
        counts.adopted++
        return waiting.id
      }
      throwIfAborted(ctx)
      const made = await joinOrStart(ctx, { ...request, print }, work)
      void made.promise.then(
        id => {
          if (ctx.signal.aborted) offered.set(request.name, { print, id })
        },
        () => undefined, // whoever waits hears of it
      )
      const id = await orAborted(ctx, made.promise).catch((err: unknown) => {
        if (!ctx.signal.aborted || running.get(request.name) !== made) throw err
        throw withContext(stillMaking(request.name, made), abortError(ctx.signal))
      })
      offered.delete(request.name)
      return id
    },
    offer(request, id) {
      offered.set(request.name, { print: canonicalJson(request.input), id })
    },
    withdraw(id) {
      for (const [name, offer] of offered) if (offer.id === id) offered.delete(name)
    },
  }
}

function begin<Id extends string>(print: string, work: Work<Id>, onEnd: () => void): Running<Id> {
  const told: Pick<Running<Id>, 'id' | 'isUndoing'> = { id: undefined, isUndoing: false }
  const promise = work({
    begun(id) {
      told.id = id
    },
    undoing() {
      told.isUndoing = true
    },
  }).finally(onEnd)
  return Object.assign(told, { print, promise })
}

/** JSON with sorted keys: protobuf maps arrive in random order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}
