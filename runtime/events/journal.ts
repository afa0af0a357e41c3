import type { Clock } from '#base/clock'
import { RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import type { Container } from '../model/container.ts'
import type { ContainerEvent, EventOperations, EventSubscription, PodSnapshot } from '../model/event.ts'
import type { Owner, Pod } from '../model/pod.ts'
import { createPodMembers } from '../state/pod-members.ts'
import type { Change, Table } from '../state/table.ts'
import { createEventQueue, type EventQueue } from './event-queue.ts'
import { kindsOfContainerChange, kindsOfPodChange } from './kinds-of-change.ts'

export const journalLimits = {
  /** Readers at once; a kubelet is one. */
  subscribers: 256,
  /** Events that one reader may be behind. */
  queuedEvents: 1024,
} as const

export interface JournalDeps {
  readonly pods: Table<Pod>
  readonly containers: Table<Container>
  readonly clock: Clock
  readonly log: Log
}

/** The one order of all that happens to pods and containers. */
export interface Journal {
  /** For those who see the objects of one owner; the others' are not there. */
  as(owner: Owner): EventOperations
  /** Events that slow readers lost since the start. */
  readonly dropped: number
}

interface Reader {
  readonly owner: Owner
  readonly queue: EventQueue
}

/**
 * Follows both tables. An event is made at the moment of its change, when memory shows exactly what the event tells;
 * without a reader nothing is made. Nothing is kept for readers that come later.
 */
export function createJournal(deps: JournalDeps): Journal {
  const { pods, containers } = deps
  const members = createPodMembers(containers)
  const now = createTicker(deps.clock)
  const readers = new Set<Reader>()
  let dropped = 0

  function snapshot(pod: Pod): PodSnapshot {
    return { pod, containers: members.of(pod.id).filter(isShown).toReversed(), timestampNs: now() }
  }

  function tell(kinds: readonly ContainerEvent['kind'][], id: string, pod: Pod | undefined): void {
    // A container without a pod is a broken record's; recovery removes it before anybody reads.
    if (kinds.length === 0 || readers.size === 0 || !pod) return
    for (const kind of kinds) {
      const event: ContainerEvent = { ...snapshot(pod), kind, id }
      for (const { owner, queue } of readers) {
        if (owner !== pod.owner) continue
        const before = queue.dropped
        queue.push(event)
        dropped += queue.dropped - before
        if (before === 0 && queue.dropped > 0) deps.log.warn({ owner }, 'a reader of events is too slow')
      }
    }
  }

  pods.observe((change: Change<Pod>) => {
    const pod = change.after ?? change.before
    if (pod) tell(kindsOfPodChange(change), pod.id, pod)
  })
  containers.observe((change: Change<Container>) => {
    const container = change.after ?? change.before
    if (container) tell(kindsOfContainerChange(change), container.id, pods.get(container.podId))
  })

  return {
    get dropped() {
      return dropped
    },
    as: owner => ({
      subscribe: signal => subscribe(deps.log, readers, { owner, signal }),
      snapshot(podId) {
        const pod = pods.resolve(podId)
        if (pod.owner !== owner) throw new RuntimeError('not-found', `pod sandbox "${podId}" not found`)
        return snapshot(pod)
      },
    }),
  }
}

function subscribe(
  log: Log,
  readers: Set<Reader>,
  { owner, signal }: { readonly owner: Owner; readonly signal: AbortSignal },
): EventSubscription {
  if (readers.size >= journalLimits.subscribers) {
    throw new RuntimeError(
      'resource-exhausted',
      `${readers.size} clients read events already: end some of them first`,
    )
  }
  const queue = createEventQueue(journalLimits.queuedEvents)
  const reader: Reader = { owner, queue }
  const leave = (): void => {
    queue.end()
    if (readers.delete(reader) && queue.dropped > 0) {
      log.warn({ owner, dropped: queue.dropped }, 'a reader of events has lost some')
    }
  }
  readers.add(reader)
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* queue.read()
      } finally {
        leave()
      }
    },
    get dropped() {
      return queue.dropped
    },
  }
}

/** As in the lists: one still being made is nobody's yet, one being removed is gone. */
function isShown({ phase }: Container): boolean {
  return phase !== 'creating' && phase !== 'removing'
}

/** Time that only grows, also when somebody sets the clock back: readers compare times to know what is newer. */
function createTicker(clock: Clock): () => bigint {
  let last = 0n
  return () => {
    const wall = clock.now()
    last = wall > last ? wall : last + 1n
    return last
  }
}
