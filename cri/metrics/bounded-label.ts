/**
 * Values that come from outside must not make series without end: the first ones are kept, all later ones are called
 * "other".
 */
export function createBoundedLabel(maxValues: number): (value: string) => string {
  const known = new Set<string>()
  return value => {
    if (known.has(value)) return value
    if (known.size >= maxValues) return 'other'
    known.add(value)
    return value
  }
}
