import { RuntimeError } from '#base/errors'
import type { Container } from '../model/container.ts'
import type { EventOperations } from '../model/event.ts'
import type { Owner, Pod } from '../model/pod.ts'
import type { Table } from '../state/table.ts'

export interface EventDeps {
  readonly pods: Table<Pod>
  readonly containers: Table<Container>
}

/** What happens to the pods and containers of one owner. */
export function eventOperations(_deps: EventDeps, _owner: Owner): EventOperations {
  return {
    subscribe() {
      throw new RuntimeError('unimplemented', 'events are not built yet')
    },
  }
}
