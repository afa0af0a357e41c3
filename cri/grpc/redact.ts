import Long from 'long'

/** Fields that the interface marks `debug_redact`: never written anywhere. A test compares the list with the proto. */
export const secretFields: ReadonlySet<string> = new Set([
  'password',
  'auth',
  'identityToken',
  'registryToken',
])

/** For the log: made into text only when the line is really written, and without its secrets. */
export function redacted(message: object): { toJSON(): unknown } {
  return { toJSON: (): unknown => withoutSecrets('', message) }
}

function withoutSecrets(key: string, value: unknown): unknown {
  if (typeof value === 'string') return secretFields.has(key) && value !== '' ? 'redacted' : value
  // Bytes are the values of environment variables, which often come from a Secret.
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (Array.isArray(value)) return value.map(item => withoutSecrets(key, item))
  if (typeof value !== 'object' || value === null) return value
  if (Long.isLong(value)) return value.toString()
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withoutSecrets(name, part)]))
}
