import { RuntimeError } from '#base/errors'
import type { KernelVersion } from '../../host/host-facts.ts'
import type { SeccompCondition, SeccompProfile, SeccompRule } from './seccomp-profile.ts'
import type { SeccompArgumentSpec } from './types.ts'

const limits = { rules: 4096, namesPerRule: 4096, args: 6, entries: 256 } as const

type Fields = Readonly<Record<string, unknown>>

/**
 * Reads a profile file: the OCI form (linux.seccomp) as well as Docker's, with archMap, includes and excludes.
 * Errors: `invalid-argument` that names the file and the field; `unimplemented` for a listener.
 */
export function parseSeccompProfile(path: string, text: string): SeccompProfile {
  const at = `seccomp profile ${path}`
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (err) {
    throw new RuntimeError('invalid-argument', `${at} is not JSON`, { cause: err })
  }
  const fields = object(json, at)
  if (fields.listenerPath !== undefined) {
    throw new RuntimeError('unimplemented', `${at}: listenerPath is not supported`)
  }
  const errno = optional(fields.defaultErrnoRet, value => integer(value, `${at}: defaultErrnoRet`))
  return {
    defaultAction: action(fields.defaultAction, `${at}: defaultAction`),
    ...(errno === undefined ? {} : { defaultErrnoRet: errno }),
    architectures: optional(fields.architectures, value => strings(value, `${at}: architectures`)),
    flags: optional(fields.flags, value => strings(value, `${at}: flags`)) ?? [],
    rules: list(fields.syscalls ?? [], limits.rules, `${at}: syscalls`).map((rule, index) =>
      parseRule(rule, `${at}: syscalls[${index}]`),
    ),
  }
}

function parseRule(value: unknown, at: string): SeccompRule {
  const fields = object(value, at)
  const errnoRet = optional(fields.errnoRet, errno => integer(errno, `${at}.errnoRet`))
  const args = optional(fields.args, items =>
    list(items, limits.args, `${at}.args`).map((item, index) => parseArgument(item, `${at}.args[${index}]`)),
  )
  const includes = optional(fields.includes, item => parseCondition(item, `${at}.includes`))
  const excludes = optional(fields.excludes, item => parseCondition(item, `${at}.excludes`))
  return {
    names: ruleNames(fields, at),
    action: action(fields.action, `${at}.action`),
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args && args.length > 0 ? { args } : {}),
    ...(includes ? { includes } : {}),
    ...(excludes ? { excludes } : {}),
  }
}

/** Old profiles have one `name` per rule. */
function ruleNames(fields: Fields, at: string): readonly string[] {
  const names = fields.names ?? (fields.name === undefined ? undefined : [fields.name])
  const parsed = list(names, limits.namesPerRule, `${at}.names`).map(name => string(name, `${at}.names`))
  if (parsed.length === 0) throw wrong(`${at}.names`, 'is empty')
  return parsed
}

function parseArgument(value: unknown, at: string): SeccompArgumentSpec {
  const fields = object(value, at)
  const valueTwo = optional(fields.valueTwo, item => integer(item, `${at}.valueTwo`))
  const op = string(fields.op, `${at}.op`)
  if (!/^SCMP_CMP_[A-Z_]+$/.test(op)) throw wrong(`${at}.op`, 'is not an operator SCMP_CMP_...')
  return {
    index: integer(fields.index, `${at}.index`),
    value: optional(fields.value, item => integer(item, `${at}.value`)) ?? 0,
    ...(valueTwo === undefined ? {} : { valueTwo }),
    op,
  }
}

function parseCondition(value: unknown, at: string): SeccompCondition {
  const fields = object(value, at)
  const capabilities = optional(fields.caps, item => strings(item, `${at}.caps`))
  const architectures = optional(fields.arches, item => strings(item, `${at}.arches`))
  const minKernel = optional(fields.minKernel, item => kernelVersion(item, `${at}.minKernel`))
  return {
    ...(capabilities ? { capabilities } : {}),
    ...(architectures ? { architectures } : {}),
    ...(minKernel ? { minKernel } : {}),
  }
}

function kernelVersion(value: unknown, at: string): KernelVersion {
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})$/.exec(string(value, at)) ?? []
  if (major === undefined || minor === undefined) throw wrong(at, 'is not of the form 5.10')
  return { major: Number(major), minor: Number(minor) }
}

function optional<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : parse(value)
}

function object(value: unknown, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(at, 'is not an object')
  return value as Fields
}

function list(value: unknown, limit: number, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(at, 'is not a list')
  if (value.length > limit) throw wrong(at, `has more than ${limit} entries`)
  return value
}

function strings(value: unknown, at: string): readonly string[] {
  return list(value, limits.entries, at).map(item => string(item, at))
}

function string(value: unknown, at: string): string {
  if (typeof value !== 'string' || value === '') throw wrong(at, 'is not a text')
  return value
}

function action(value: unknown, at: string): string {
  const text = string(value, at)
  if (!/^SCMP_ACT_[A-Z_]+$/.test(text)) throw wrong(at, 'is not an action SCMP_ACT_...')
  return text
}

/** Beyond 2^53 a JSON number would be rounded, and the filter would test for something else. */
function integer(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(at, 'is not an integer from 0 to 2^53')
  }
  return value
}

function wrong(at: string, text: string): RuntimeError {
  return new RuntimeError('invalid-argument', `${at} ${text}`)
}
