import { removalOf } from '../convert/values.ts'
import type { FieldName, Owners } from './owners.ts'

/** What plugins want to happen to one entry of a list: it goes, it comes, or it is replaced. */
export interface KeyedChange<Item> {
  readonly isRemoved: boolean
  readonly item: Item | undefined
}

export type KeyedChanges<Item> = ReadonlyMap<string, KeyedChange<Item>>

export interface KeyedInput<Item> {
  readonly plugin: string
  readonly owners: Owners
  readonly field: FieldName
  /** A key that starts with "-" removes; then the item says nothing. */
  readonly entries: readonly (readonly [key: string, item: Item])[]
}

/**
 * The changes so far and those of one more plugin: removals first, whatever their order. Errors: `failed-precondition`
 * for an entry that another plugin sets and this one has not removed.
 */
export function mergeKeyed<Item>(
  changes: KeyedChanges<Item>,
  { plugin, owners, field, entries }: KeyedInput<Item>,
): KeyedChanges<Item> {
  const merged = new Map(changes)
  for (const [key] of entries) {
    const removed = removalOf(key)
    if (removed === undefined) continue
    owners.release(field, removed)
    merged.set(removed, { isRemoved: true, item: undefined })
  }
  for (const [key, item] of entries) {
    if (removalOf(key) !== undefined) continue
    owners.claim(plugin, field, key)
    merged.set(key, { isRemoved: merged.get(key)?.isRemoved ?? false, item })
  }
  return merged
}

/** The list with its changes: what is replaced goes to the end. */
export function applyKeyed<Item>(
  items: readonly Item[],
  changes: KeyedChanges<Item>,
  keyOf: (item: Item) => string,
): readonly Item[] {
  const kept = items.filter(item => !changes.has(keyOf(item)))
  const added = [...changes.values()].flatMap(({ item }) => (item === undefined ? [] : [item]))
  return [...kept, ...added]
}

/** The changes in the form in which plugins send them. */
export function toEntries<Item>(
  changes: KeyedChanges<Item>,
  removal: (key: string) => Item,
): readonly Item[] {
  return [...changes].flatMap(([key, { isRemoved, item }]) => [
    ...(isRemoved ? [removal(`-${key}`)] : []),
    ...(item === undefined ? [] : [item]),
  ])
}

/** The map with its changes. */
export function applyToMap(
  map: Readonly<Record<string, string>>,
  changes: KeyedChanges<string>,
): Readonly<Record<string, string>> {
  const entries = applyKeyed(
    Object.entries(map),
    new Map([...changes].map(([key, change]) => [key, asPair(key, change)])),
    ([key]) => key,
  )
  return Object.fromEntries(entries)
}

/** A map in the form in which plugins send it. */
export function toMap(changes: KeyedChanges<string>): Record<string, string> {
  const pairs = new Map([...changes].map(([key, change]) => [key, asPair(key, change)]))
  return Object.fromEntries(toEntries<[string, string]>(pairs, key => [key, '']))
}

function asPair(key: string, { isRemoved, item }: KeyedChange<string>): KeyedChange<[string, string]> {
  return { isRemoved, item: item === undefined ? undefined : [key, item] }
}
