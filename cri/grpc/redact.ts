/** Fields that the interface marks `debug_redact`: never written anywhere. A test compares the list with the proto. */
export const secretFields: ReadonlySet<string> = new Set([
  'password',
  'auth',
  'identityToken',
  'registryToken',
])

/** For the log: writes the message only when the line is really written, and without its secrets. */
export function redacted(message: object): { toJSON(): unknown } {
  return {
    toJSON: (): unknown =>
      JSON.parse(
        JSON.stringify(message, (key, value: unknown) =>
          secretFields.has(key) && typeof value === 'string' && value !== '' ? 'redacted' : value,
        ),
      ),
  }
}
