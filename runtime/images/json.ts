import { messageOf, RuntimeError } from '#base/errors'

/** A JSON object from outside; every field is looked at before use. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Reads fields of a JSON document that others wrote. Absent and null are the same; a field of another type, too
 * many entries or a NUL in a text is `failed-precondition`, in words that start with `what`.
 */
export interface JsonReader {
  text(object: JsonObject, key: string): string
  texts(object: JsonObject, key: string): readonly string[]
  integer(object: JsonObject, key: string): number | undefined
  object(object: JsonObject, key: string): JsonObject | undefined
  objects(object: JsonObject, key: string): readonly JsonObject[]
  table(object: JsonObject, key: string): Readonly<Record<string, string>>
  fail(problem: string): RuntimeError
}

/** Errors: `failed-precondition` if the bytes are not a JSON object. */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (err) {
    throw new RuntimeError('failed-precondition', `${what} is not JSON: ${messageOf(err).slice(0, 100)}`)
  }
  return asJsonObject(value, what)
}

/** Errors: `failed-precondition` for anything but an object. */
export function asJsonObject(value: unknown, what: string): JsonObject {
  if (!isObject(value)) throw new RuntimeError('failed-precondition', `${what} is not a JSON object`)
  return value
}

export function createJsonReader(what: string, maxEntries: number): JsonReader {
  const fail = (problem: string) => new RuntimeError('failed-precondition', `${what}: ${problem}`)
  const checkText = (value: unknown, key: string): string => {
    if (typeof value !== 'string') throw fail(`"${key}" is not a text`)
    if (value.includes('\0')) throw fail(`"${key}" has a NUL`)
    return value
  }
  const list = (object: JsonObject, key: string): readonly unknown[] => {
    const value = object[key] ?? []
    if (!Array.isArray(value)) throw fail(`"${key}" is not a list`)
    if (value.length > maxEntries) throw fail(`"${key}" has more than ${String(maxEntries)} entries`)
    return value
  }
  const readObject = (object: JsonObject, key: string): JsonObject | undefined => {
    const value = object[key] ?? undefined
    if (value !== undefined && !isObject(value)) throw fail(`"${key}" is not an object`)
    return value
  }
  return {
    fail,
    text: (object, key) => checkText(object[key] ?? '', key),
    texts: (object, key) => list(object, key).map(value => checkText(value, key)),
    integer(object, key) {
      const value = object[key] ?? undefined
      if (value === undefined) return undefined
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
        throw fail(`"${key}" is not a whole number`)
      }
      return value
    },
    object: readObject,
    objects: (object, key) =>
      list(object, key).map(value => {
        if (!isObject(value)) throw fail(`"${key}" has an entry that is not an object`)
        return value
      }),
    table(object, key) {
      const entries = Object.entries(readObject(object, key) ?? {})
      if (entries.length > maxEntries) throw fail(`"${key}" has more than ${String(maxEntries)} entries`)
      // fromEntries defines properties, so that a key "__proto__" stays a plain key.
      return Object.fromEntries(
        entries.map(([name, value]) => [checkText(name, key), checkText(value ?? '', key)]),
      )
    },
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
