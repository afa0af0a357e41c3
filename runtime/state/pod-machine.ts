import { RuntimeError } from '#base/errors'
import type { Pod, PodPhase } from '../model/pod.ts'

/**
 *                 made               stop                 stopped
 *   (new) creating ────────► ready ────────► stopping ──────────► notready ─┐
 *            │ │                                 ▲                  ▲ │ │   │ remove
 *            │ └─────────────────────────────────┘ stop             │ │ │   ▼
 *            └──────────────────────────────────────────────────────┘ │ │ removing ──► (forgotten)
 *              abandoned: undo failed                                 └─┘ stop
 */
export type PodEvent = 'made' | 'abandoned' | 'stop' | 'stopped' | 'remove'

const table: Readonly<Record<PodPhase, Partial<Readonly<Record<PodEvent, PodPhase>>>>> = {
  creating: { made: 'ready', abandoned: 'notready', stop: 'stopping' },
  ready: { stop: 'stopping' },
  stopping: { stop: 'stopping', stopped: 'notready' },
  notready: { stop: 'stopping', remove: 'removing' },
  removing: { remove: 'removing' },
}

/** The phase after an event; `failed-precondition` if the event cannot happen in this phase. */
export function nextPodPhase(pod: Pick<Pod, 'id' | 'phase'>, event: PodEvent): PodPhase {
  const next = table[pod.phase][event]
  if (!next) {
    throw new RuntimeError('failed-precondition', `pod sandbox "${pod.id}" is ${pod.phase}: cannot ${event}`)
  }
  return next
}
