import { RuntimeError } from '#base/errors'
import type { Container, ContainerPhase } from '../model/container.ts'

/**
 *                  made           start            started           ended
 *   (new) creating ─────► created ─────► starting ────────► running ───────► exited
 *             │              │              │ ended (start failed)             ▲ │
 *             │              │ ▲            └──────────────────────────────────┘ │
 *             │              │ └─ unstarted: the daemon died before the runtime ran │
 *             │              │ ended: its root file system is gone (reboot) ──────┘ (to exited)
 *             └──────────────┴───────────────► removing ◄─────────────────────── remove ──► (forgotten)
 *
 * A running container is stopped before it can be removed.
 */
export type ContainerEvent = 'made' | 'start' | 'started' | 'unstarted' | 'ended' | 'remove'

const table: Readonly<Record<ContainerPhase, Partial<Readonly<Record<ContainerEvent, ContainerPhase>>>>> = {
  creating: { made: 'created', remove: 'removing' },
  created: { start: 'starting', ended: 'exited', remove: 'removing' },
  starting: { started: 'running', unstarted: 'created', ended: 'exited' },
  running: { started: 'running', ended: 'exited' },
  exited: { remove: 'removing' },
  removing: { remove: 'removing' },
}

/** The phase after an event; `failed-precondition` if the event cannot happen in this phase. */
export function nextContainerPhase(
  container: Pick<Container, 'id' | 'phase'>,
  event: ContainerEvent,
): ContainerPhase {
  const next = table[container.phase][event]
  if (!next) {
    throw new RuntimeError(
      'failed-precondition',
      `container "${container.id}" is ${container.phase}: cannot ${event}`,
    )
  }
  return next
}
