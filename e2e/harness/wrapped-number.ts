interface Wrapped {
  readonly value?: { toString(): string } | null
}

/** The number in a CRI UInt64Value; undefined if it was not given. */
export function number(wrapped: Wrapped | null | undefined): number | undefined {
  const value = wrapped?.value
  return value === undefined || value === null ? undefined : Number(value.toString())
}
