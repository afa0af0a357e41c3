import { RuntimeError } from '#base/errors'
import { cniLimits } from './limits.ts'

/** A parsed JSON object of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Errors: `invalid-argument`. */
export function parseJsonObject(text: string): JsonObject {
  return parseWith(text)
}

/**
 * The same for what is handed on to others: integers that a double cannot hold are refused, because they would
 * arrive changed.
 */
export function parseExactJsonObject(text: string): JsonObject {
  return parseWith(text, refuseInexact)
}

function parseWith(text: string, reviver?: (key: string, value: unknown) => unknown): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text, reviver)
  } catch (err) {
    if (err instanceof RuntimeError) throw err
    throw new RuntimeError('invalid-argument', 'not JSON', { cause: err })
  }
  if (!isJsonObject(value)) throw new RuntimeError('invalid-argument', 'not a JSON object')
  return value
}

function refuseInexact(key: string, value: unknown): unknown {
  if (typeof value === 'number' && (!Number.isFinite(value) || isInexactInteger(value))) {
    throw new RuntimeError('invalid-argument', `"${printable(key)}" is a number that is too large`)
  }
  return value
}

function isInexactInteger(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value)
}

/** One line without control characters, cut to the limit: for messages that hold foreign text. */
export function printable(text: string): string {
  const line = text.replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return line.length > cniLimits.messageCharacters ? `${line.slice(0, cniLimits.messageCharacters)}…` : line
}

/** Field readers: absent (or null) answers undefined, a wrong type is `invalid-argument` and names the field. */
export function textField(object: JsonObject, key: string): string | undefined {
  const value = object[key] ?? undefined
  if (value === undefined) return undefined
  return asText(value, key)
}

export function flagField(object: JsonObject, key: string): boolean | undefined {
  const value = object[key] ?? undefined
  if (value === undefined || typeof value === 'boolean') return value
  throw wrong(key, 'true or false')
}

/** A whole number from 0 up. */
export function countField(object: JsonObject, key: string): number | undefined {
  const value = object[key] ?? undefined
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw wrong(key, 'a whole number')
}

export function objectField(object: JsonObject, key: string): JsonObject | undefined {
  const value = object[key] ?? undefined
  if (value === undefined || isJsonObject(value)) return value
  throw wrong(key, 'an object')
}

export function objectsField(object: JsonObject, key: string, limit: number): readonly JsonObject[] {
  return listField(object, key, limit).map(item => {
    if (!isJsonObject(item)) throw wrong(key, 'a list of objects')
    return item
  })
}

export function textsField(object: JsonObject, key: string, limit: number): readonly string[] {
  return listField(object, key, limit).map(item => asText(item, key))
}

function listField(object: JsonObject, key: string, limit: number): readonly unknown[] {
  const value: unknown = object[key] ?? []
  if (!Array.isArray(value)) throw wrong(key, 'a list')
  if (value.length > limit) {
    throw new RuntimeError('invalid-argument', `"${key}" has ${value.length} entries, more than ${limit}`)
  }
  return value
}

function asText(value: unknown, key: string): string {
  if (typeof value !== 'string') throw wrong(key, 'a text')
  if (value.length > cniLimits.textCharacters) {
    throw new RuntimeError(
      'invalid-argument',
      `"${key}" is longer than ${cniLimits.textCharacters} characters`,
    )
  }
  if (/\p{Cc}/u.test(value)) throw wrong(key, 'a text without control characters')
  return value
}

function wrong(key: string, want: string): RuntimeError {
  return new RuntimeError('invalid-argument', `"${key}" must be ${want}`)
}
