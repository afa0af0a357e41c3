import Long from 'long'
import type { v1 } from '#proto'
import { invalid } from './fields.ts'

type Int64 = Long | null | undefined

/** Longest wait that can be asked for, 24 days: a timer of Node holds 2^31 - 1 ms, and the engine adds its own. */
export const maxTimeoutMs = 24 * 24 * 60 * 60 * 1000

/** 64 bits as a number; `invalid-argument` where a number would not be exact. Not given: 0. */
export function toNumber(value: Int64, field: string): number {
  const number = Long.fromValue(value ?? 0).toNumber()
  if (!Number.isSafeInteger(number)) throw invalid(`${field} is out of range: ${String(value)}`)
  return number
}

export function fromNumber(value: number): Long {
  return Long.fromNumber(value)
}

export function fromBigInt(value: bigint): Long {
  return Long.fromBigInt(value)
}

/** Seconds of a request as milliseconds, at most `maxTimeoutMs`. */
export function secondsToMs(value: Int64, field: string): number {
  const seconds = Long.fromValue(value ?? 0)
  if (seconds.isNegative()) throw invalid(`${field} is negative: ${String(seconds)}`)
  return Math.min(seconds.toNumber() * 1000, maxTimeoutMs)
}

/** A user or group id; undefined if not given. */
export function toOptionalId(
  value: v1.Int64Value.$Properties | null | undefined,
  field: string,
): number | undefined {
  if (value === null || value === undefined) return undefined
  return toId(value.value, field)
}

/** (id_t)-1 means "no id" to the kernel, so it is not one. */
const maxId = 2 ** 32 - 2

export function toId(value: Int64, field: string): number {
  const id = toNumber(value, field)
  if (id < 0 || id > maxId) throw invalid(`${field} is not a user or group id: ${id}`)
  return id
}

export function uint64Value(value: number | bigint): v1.UInt64Value.$Properties {
  return { value: typeof value === 'bigint' ? Long.fromBigInt(value, true) : Long.fromNumber(value, true) }
}
