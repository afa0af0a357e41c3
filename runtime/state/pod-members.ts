import type { PodId } from '#base/ids'
import type { Container } from '../model/container.ts'
import type { Table } from './table.ts'

/** The containers of each pod, without a look at all of them. */
export interface PodMembers {
  /** In the order in which they were created. */
  of(podId: PodId): readonly Container[]
}

/** Follows the table for as long as it lives; what is in it already is found, too. */
export function createPodMembers(table: Table<Container>): PodMembers {
  const members = new Map<PodId, Map<string, Container>>()

  function set(container: Container): void {
    const siblings = members.get(container.podId) ?? new Map<string, Container>()
    siblings.set(container.id, container)
    members.set(container.podId, siblings)
  }

  function remove({ id, podId }: Container): void {
    const siblings = members.get(podId)
    siblings?.delete(id)
    if (siblings?.size === 0) members.delete(podId)
  }

  for (const container of table.all()) set(container)
  table.observe(({ before, after }) => {
    if (after) set(after)
    else if (before) remove(before)
  })
  return { of: podId => [...(members.get(podId)?.values() ?? [])].sort(byCreation) }
}

/** Records are loaded in any order. */
function byCreation(a: Container, b: Container): number {
  return Number(a.createdAtNs - b.createdAtNs)
}
