import type { Container } from './container.ts'
import type { Pod } from './pod.ts'

/** One thing that happened to a pod or a container, with everything about its pod at that moment. */
export interface ContainerEvent {
  readonly kind: 'created' | 'started' | 'stopped' | 'deleted'
  /** Of the container; of the pod when it happened to the pod itself. */
  readonly id: string
  /** Grows strictly from event to event. */
  readonly timestampNs: bigint
  /** As of this event; undefined once the pod is gone. */
  readonly pod: Pod | undefined
  /** All containers of the pod as of this event. */
  readonly containers: readonly Container[]
}

export interface EventOperations {
  /**
   * Every event from now on, in order, until ctx is aborted. A reader that falls behind by more than a bounded number
   * of events loses the oldest ones; `dropped` says how many so far.
   */
  subscribe(signal: AbortSignal): EventSubscription
}

export interface EventSubscription extends AsyncIterable<ContainerEvent> {
  readonly dropped: number
}
