import type { ContainerDeps } from '../containers/container-deps.ts'
import type { NodeActivity } from '../engine.ts'
import type { Journal } from '../events/journal.ts'
import type { PodDeps } from '../pods/pod-deps.ts'

export interface ActivityDeps {
  readonly pods: Pick<PodDeps, 'table' | 'makeOnce'>
  readonly containers: Pick<ContainerDeps, 'table' | 'makeOnce'>
  readonly journal: Pick<Journal, 'dropped'>
}

/** What goes on in this moment, and what has been counted since the start. */
export function nodeActivity({ pods, containers, journal }: ActivityDeps): NodeActivity {
  const counts = [pods.makeOnce.counts, containers.makeOnce.counts]
  return {
    retriesJoined: counts.reduce((sum, { joined }) => sum + joined, 0),
    retriesAdopted: counts.reduce((sum, { adopted }) => sum + adopted, 0),
    eventsDropped: journal.dropped,
    stages: [...pods.table.all(), ...containers.table.all()]
      .filter(({ stage }) => stage !== '')
      .map(({ id, phase, stage }) => ({ id, phase, stage })),
  }
}
