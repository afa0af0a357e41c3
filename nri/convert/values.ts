import Long from 'long'
import { RuntimeError } from '#base/errors'

interface Optional {
  readonly value?: Long | number | null
}

/** A wrapped integer as plugins write what may be absent. */
export function wrap(value: number | undefined): { readonly value: Long } | null {
  return value === undefined ? null : { value: Long.fromNumber(value) }
}

export function wrapUnsigned(value: number | undefined): { readonly value: Long } | null {
  return value === undefined ? null : { value: Long.fromNumber(value, true) }
}

/** undefined if it is absent. Errors: `invalid-argument` where a number would not be exact. */
export function unwrap(wrapped: Optional | null | undefined, field: string): number | undefined {
  return wrapped ? toNumber(wrapped.value, field) : undefined
}

export function toNumber(value: Long | number | null | undefined, field: string): number {
  const number = typeof value === 'object' && value !== null ? value.toNumber() : (value ?? 0)
  if (!Number.isSafeInteger(number)) {
    throw new RuntimeError('invalid-argument', `${field} is out of range: ${String(value)}`)
  }
  return number
}

/** The object without the keys that have no value. */
export function given<Value extends object>(
  value: Value,
): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [Key in keyof Value]?: Exclude<Value[Key], undefined>
  }
}

/** A key that starts with "-" asks for the removal of what has the rest as its key. */
export function removalOf(key: string): string | undefined {
  return key.startsWith('-') ? key.slice(1) : undefined
}
