import type { PodFilter } from '../engine.ts'
import type { Owner, Pod } from '../model/pod.ts'
import { hasLabels } from '../state/label-filter.ts'
import type { Table } from '../state/table.ts'

/** Pods that a door shows: one still being made is nobody's yet, one being removed is gone. */
export function listPods(table: Table<Pod>, owner: Owner, filter: PodFilter): readonly Pod[] {
  return table.all().filter(pod => {
    if (pod.owner !== owner || pod.phase === 'creating' || pod.phase === 'removing') return false
    if (!pod.id.startsWith(filter.id ?? '')) return false
    if (filter.isReady !== undefined && (pod.phase === 'ready') !== filter.isReady) return false
    return hasLabels(pod.config.labels, filter.labels)
  })
}
