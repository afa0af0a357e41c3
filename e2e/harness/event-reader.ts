import type { CriClient } from '../../cri/grpc/client.ts'
import { type Received, runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { eventually } from './eventually.ts'

export type CriEvent = Received<typeof rpc.GetContainerEvents.response>

/** Follows the events of a runtime and keeps them all. */
export interface EventReader {
  /** In the order in which they came. */
  readonly events: readonly CriEvent[]
  /** Answers the first event that is accepted, when it has come. */
  find(what: string, accept: (event: CriEvent) => boolean): Promise<CriEvent>
  /** Leaves. Answers the error that ended the reading before, if one did. */
  close(): Promise<unknown>
}

/** Hears of everything from when it is returned. The caller closes it. */
export async function readEvents(client: CriClient): Promise<EventReader> {
  const events: CriEvent[] = []
  const leave = new AbortController()
  const stream = client.stream(rpc.GetContainerEvents, {}, { signal: leave.signal })
  await stream.opened
  const ended = (async () => {
    try {
      for await (const event of stream) events.push(event)
      return undefined
    } catch (err) {
      return leave.signal.aborted ? undefined : err
    }
  })()
  return {
    events,
    find: (what, accept) => eventually(what, () => events.find(accept)),
    close() {
      leave.abort()
      return ended
    },
  }
}
