import type { IdMappings } from '#shim/host'
import type { IdMapping, NamespaceOptions } from '../model/linux.ts'

/** Owner of files that belong to root inside a user namespace, as the host sees it. */
export interface HostOwner {
  readonly uid: number
  readonly gid: number
}

/** The mappings of a pod's user namespace; undefined: it has none. */
export function userMappings(namespaces: NamespaceOptions): IdMappings | undefined {
  const { user } = namespaces
  return user?.mode === 'pod' ? { uids: user.uids, gids: user.gids } : undefined
}

/** What the host sees of an owner inside; root's where that one is not mapped. */
export function hostOwner(mappings: IdMappings, inside: HostOwner = { uid: 0, gid: 0 }): HostOwner {
  return { uid: hostId(mappings.uids, inside.uid), gid: hostId(mappings.gids, inside.gid) }
}

export function sameMappings(one: readonly IdMapping[], other: readonly IdMapping[]): boolean {
  return (
    one.length === other.length &&
    one.every((mapping, index) => {
      const { hostId: host, containerId, length } = other[index] ?? mapping
      return mapping.hostId === host && mapping.containerId === containerId && mapping.length === length
    })
  )
}

function hostId(mappings: readonly IdMapping[], id: number): number {
  const find = (wanted: number): IdMapping | undefined =>
    mappings.find(({ containerId, length }) => wanted >= containerId && wanted < containerId + length)
  const found = find(id)
  if (found) return found.hostId + id - found.containerId
  return find(0)?.hostId ?? id
}
