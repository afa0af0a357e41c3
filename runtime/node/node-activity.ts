import type { NodeActivity } from '../engine.ts'
import type { Journal } from '../events/journal.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import type { MakeOnceCounts } from '../state/make-once.ts'
import type { Table } from '../state/table.ts'

export interface ActivityDeps {
  readonly pods: Table<Pod>
  readonly containers: Table<Container>
  /** Of everything that is made once. */
  readonly retries: readonly MakeOnceCounts[]
  readonly journal: Pick<Journal, 'dropped'>
}

/** What goes on in this moment, and what has been counted since the start. */
export function nodeActivity({ pods, containers, retries, journal }: ActivityDeps): NodeActivity {
  return {
    retriesJoined: retries.reduce((sum, { joined }) => sum + joined, 0),
    retriesAdopted: retries.reduce((sum, { adopted }) => sum + adopted, 0),
    eventsDropped: journal.dropped,
    stages: [...pods.all(), ...containers.all()]
      .filter(({ stage }) => stage !== '')
      .map(({ id, phase, stage }) => ({ id, phase, stage })),
  }
}
