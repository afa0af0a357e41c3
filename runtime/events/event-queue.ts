import type { ContainerEvent } from '../model/event.ts'

/** What one reader has not read yet. */
export interface EventQueue {
  /** Never waits: when the queue is full the oldest event makes room, and is counted. */
  push(event: ContainerEvent): void
  /** Events in order, for one reader, until end() is called; what is still queued then is forgotten. */
  read(): AsyncIterable<ContainerEvent>
  end(): void
  readonly dropped: number
}

export function createEventQueue(limit: number): EventQueue {
  // A ring: taking from the front of a long array would move all that is behind it.
  const ring: (ContainerEvent | undefined)[] = []
  let first = 0
  let length = 0
  let dropped = 0
  let hasEnded = false
  let wake: () => void = () => undefined

  function take(): ContainerEvent | undefined {
    if (length === 0) return undefined
    const event = ring[first]
    ring[first] = undefined
    first = (first + 1) % limit
    length--
    return event
  }

  return {
    push(event) {
      if (hasEnded) return
      if (length === limit) {
        take()
        dropped++
      }
      ring[(first + length) % limit] = event
      length++
      wake()
    },
    async *read() {
      while (!hasEnded) {
        const event = take()
        if (event) {
          yield event
        } else {
          await new Promise<void>(resolve => {
            wake = resolve
          })
        }
      }
    },
    end() {
      hasEnded = true
      ring.length = 0
      length = 0
      wake()
    },
    get dropped() {
      return dropped
    },
  }
}
