import type { ContainerFilter } from '../engine.ts'
import type { Container } from '../model/container.ts'
import type { Owner } from '../model/pod.ts'
import { hasLabels } from '../state/label-filter.ts'
import type { Table } from '../state/table.ts'

/** Containers that a door shows: one still being made is nobody's yet, one being removed is gone. */
export function listContainers(
  table: Table<Container>,
  owner: Owner,
  filter: ContainerFilter,
): readonly Container[] {
  return table.all().filter(container => {
    if (container.owner !== owner || container.phase === 'creating' || container.phase === 'removing')
      return false
    if (!container.id.startsWith(filter.id ?? '') || !container.podId.startsWith(filter.podId ?? ''))
      return false
    if (filter.phases && !filter.phases.includes(container.phase)) return false
    return hasLabels(container.config.labels, filter.labels)
  })
}
