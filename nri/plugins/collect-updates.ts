import { isKind } from '#base/errors'
import type { api } from '#nri-proto'
import { mergeResources } from '../adjust/merge-resources.ts'
import { createOwners, type Owners } from '../adjust/owners.ts'

type Update = api.ContainerUpdate.$Properties

/** What plugins want changed in other containers, by container, while they are asked one after the other. */
export interface CollectedUpdates {
  /** Errors: `failed-precondition` where two plugins want different things, unless the update may fail. */
  add(plugin: string, updates: readonly Update[]): void
  /** Without those of the container. */
  others(id?: string): readonly Update[]
  of(id: string): Update | undefined
}

export function collectUpdates(): CollectedUpdates {
  const updates = new Map<string, Update>()
  const owners = new Map<string, Owners>()

  function add(plugin: string, update: Update): void {
    const id = update.containerId ?? ''
    const owner = owners.get(id) ?? createOwners(id)
    owners.set(id, owner)
    const current = updates.get(id)
    const resources = mergeResources(current?.linux?.resources ?? {}, update.linux?.resources ?? {}, {
      owners: owner,
      plugin,
    })
    const ignoreFailure = (current?.ignoreFailure ?? true) && (update.ignoreFailure ?? false)
    updates.set(id, { containerId: id, linux: { resources }, ignoreFailure })
  }

  return {
    add(plugin, wanted) {
      for (const update of wanted) {
        try {
          add(plugin, update)
        } catch (err) {
          if (!update.ignoreFailure || !isKind(err, 'failed-precondition')) throw err
        }
      }
    },
    others: id => [...updates].flatMap(([of, update]) => (of === id ? [] : [update])),
    of: id => updates.get(id),
  }
}
