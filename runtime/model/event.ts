import type { Container } from './container.ts'
import type { Pod } from './pod.ts'

/** A pod and its containers at one moment; those that are being made or removed are not shown. */
export interface PodSnapshot {
  readonly pod: Pod
  /** The latest one first: a kubelet with EventedPLEG takes the first with a name as the one that counts. */
  readonly containers: readonly Container[]
  /** Nanoseconds since the epoch. Grows strictly over all snapshots and events, whatever the clock does. */
  readonly timestampNs: bigint
}

/**
 * One thing that happened to a pod or a container, with everything about its pod at that moment. A pod is created and
 * started when it becomes ready, stopped when its teardown is done, deleted when it is forgotten, after its containers;
 * the event of its end still shows it, as it was last.
 */
export interface ContainerEvent extends PodSnapshot {
  readonly kind: 'created' | 'started' | 'stopped' | 'deleted'
  /** Of the container; of the pod when it happened to the pod itself. */
  readonly id: string
}

export interface EventOperations {
  /**
   * Every event from now on, in order, for one iteration, until the signal is aborted. A reader that falls behind by
   * more than a bounded number of events loses the oldest ones. Errors: `resource-exhausted` when too many read.
   */
  subscribe(signal: AbortSignal): EventSubscription
  /** Takes an id or a unique prefix. Errors: `not-found`, `invalid-argument` if several pods match. */
  snapshot(podId: string): PodSnapshot
}

export interface EventSubscription extends AsyncIterable<ContainerEvent> {
  /** Events that this reader lost so far. */
  readonly dropped: number
}
