import { RuntimeError } from '#base/errors'
import { api } from '#nri-proto'

const { Field } = api

/** What a plugin can claim, in the words of nri.proto. */
export type FieldName = Exclude<keyof typeof Field, 'None'>

/** Who sets what in one container: a field belongs to the first plugin that sets it, until another one removes it. */
export interface Owners {
  /** Errors: `failed-precondition` if another plugin has set it; names both. `key` is for fields with many entries. */
  claim(plugin: string, field: FieldName, key?: string): void
  /** Something that others may add to, too. */
  note(plugin: string, field: FieldName): void
  release(field: FieldName, key?: string): void
  toMessage(): api.FieldOwners.$Properties
}

export function createOwners(containerId: string): Owners {
  const simple = new Map<FieldName, string>()
  const compound = new Map<FieldName, Map<string, string>>()

  function claimIn<Key>(owners: Map<Key, string>, key: Key, plugin: string): string | undefined {
    const owner = owners.get(key)
    if (owner === undefined) owners.set(key, plugin)
    return owner
  }

  function entriesOf(field: FieldName): Map<string, string> {
    const entries = compound.get(field) ?? new Map<string, string>()
    compound.set(field, entries)
    return entries
  }

  return {
    claim(plugin, field, key) {
      const owner =
        key === undefined ? claimIn(simple, field, plugin) : claimIn(entriesOf(field), key, plugin)
      if (owner === undefined) return
      const what = key === undefined ? field : `${field} "${key}"`
      throw new RuntimeError(
        'failed-precondition',
        `NRI plugins "${owner}" and "${plugin}" both set ${what} of container "${containerId}"`,
      )
    },
    note(plugin, field) {
      const owner = simple.get(field)
      simple.set(field, owner === undefined ? plugin : `${owner},${plugin}`)
    },
    release(field, key) {
      if (key === undefined) simple.delete(field)
      else compound.get(field)?.delete(key)
    },
    toMessage: () => ({
      simple: Object.fromEntries([...simple].map(([field, plugin]) => [Field[field], plugin])),
      compound: Object.fromEntries(
        [...compound].map(([field, owners]) => [Field[field], { owners: Object.fromEntries(owners) }]),
      ),
    }),
  }
}
