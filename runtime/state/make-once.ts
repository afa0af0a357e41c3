import { type Ctx, orAborted } from '#base/context'
import { RuntimeError } from '#base/errors'

/**
 * Makes each named object at most once, also when clients give up waiting and ask again: an identical retry joins
 * the running operation, and gets the finished object if nobody was there to take it.
 */
export interface MakeOnce<Id extends string> {
  /** `request` decides what "identical" means. The work goes on when the caller is gone. */
  make(ctx: Ctx, request: MakeRequest, work: () => Promise<Id>): Promise<Id>
  /** The object exists but its maker never got an answer (the daemon died): the next identical request gets it. */
  offer(request: MakeRequest, id: Id): void
  /** The object is in use or gone: it is not handed out any more. */
  withdraw(id: Id): void
}

export interface MakeRequest {
  readonly name: string
  readonly input: unknown
}

export function createMakeOnce<Id extends string>(what: string): MakeOnce<Id> {
  const running = new Map<string, { readonly print: string; readonly promise: Promise<Id> }>()
  const offered = new Map<string, { readonly print: string; readonly id: Id }>()

  function start(request: MakeRequest, print: string, work: () => Promise<Id>): Promise<Id> {
    const promise = work().finally(() => {
      running.delete(request.name)
    })
    running.set(request.name, { print, promise })
    return promise
  }

  return {
    async make(ctx, request, work) {
      const print = canonicalJson(request.input)
      const waiting = offered.get(request.name)
      if (waiting?.print === print) {
        offered.delete(request.name)
        return waiting.id
      }
      const joined = running.get(request.name)
      if (joined && joined.print !== print) {
        throw new RuntimeError(
          'already-exists',
          `${what} "${request.name}" is being made with another config`,
        )
      }
      const promise = joined?.promise ?? start(request, print, work)
      void promise.then(
        id => {
          if (ctx.signal.aborted) offered.set(request.name, { print, id })
        },
        () => undefined, // whoever waits hears of it
      )
      const id = await orAborted(ctx, promise)
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

/** JSON with sorted keys: protobuf maps arrive in random order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}
