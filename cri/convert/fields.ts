import { RuntimeError } from '#base/errors'

/** Fields of requests that must be there, or must have a form; every error is `invalid-argument` and names the field. */
export function required<Value>(value: Value | null | undefined, field: string): Value {
  if (value === null || value === undefined) throw invalid(`${field} is required`)
  return value
}

export function requiredText(value: string | null | undefined, field: string): string {
  if (!value) throw invalid(`${field} is required`)
  return plainText(value, field)
}

/** Text for the kernel or for a file; "" if not given. The kernel's texts end at the first NUL. */
export function plainText(value: string | null | undefined, field: string): string {
  const text = value ?? ''
  if (text.includes('\0')) throw invalid(`${field} contains a NUL character`)
  return text
}

export function plainTexts(values: readonly string[] | null | undefined, field: string): readonly string[] {
  return (values ?? []).map((value, index) => plainText(value, `${field}[${index}]`))
}

/** A copy, byte for byte: keys such as `__proto__` stay ordinary keys. */
export function textMap(
  values: Readonly<Record<string, string>> | null | undefined,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values ?? {}))
}

export function invalid(message: string): RuntimeError {
  return new RuntimeError('invalid-argument', message)
}
