import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { type HookSpec, type HookStage, hookStages } from '../spec/types.ts'

/** One hook configuration 1.0.0 (oci-hooks(5)): what to run, when, and in which stages. */
export interface HookConfig {
  readonly hook: HookSpec
  readonly when: HookCondition
  readonly stages: readonly HookStage[]
}

/** All that is given must hold; a hook whose condition says nothing never runs. */
export interface HookCondition {
  readonly always: boolean | undefined
  readonly hasBindMounts: boolean | undefined
  readonly annotations: readonly { readonly key: RegExp; readonly value: RegExp }[]
  /** One of them must match the first word of the command. */
  readonly commands: readonly RegExp[]
}

const limits = { entries: 256, timeoutSeconds: 3600 } as const

type Fields = Readonly<Record<string, unknown>>

/** Errors: `failed-precondition` names the file and the field. */
export function parseHook(path: string, text: string): HookConfig {
  const at = `hook configuration ${path}`
  const fields = object(parseJson(text, at), at)
  if (fields.version !== '1.0.0') throw wrong(`${at}: version`, 'is not "1.0.0"')
  const when = object(fields.when, `${at}: when`)
  const stages = texts(fields.stages, `${at}: stages`).map(stage => {
    const found = hookStages.find(known => known === stage)
    if (!found) throw wrong(`${at}: stages`, `"${stage}" is none of ${hookStages.join(', ')}`)
    return found
  })
  if (stages.length === 0) throw wrong(`${at}: stages`, 'is empty')
  return {
    hook: parseProgram(fields.hook, `${at}: hook`),
    when: {
      always: flag(when.always, `${at}: when.always`),
      hasBindMounts: flag(when.hasBindMounts, `${at}: when.hasBindMounts`),
      annotations: Object.entries(object(when.annotations ?? {}, `${at}: when.annotations`)).map(
        ([key, value]) => ({
          key: pattern(key, `${at}: when.annotations`),
          value: pattern(value, `${at}: when.annotations`),
        }),
      ),
      commands: texts(when.commands ?? [], `${at}: when.commands`).map(text =>
        pattern(text, `${at}: when.commands`),
      ),
    },
    stages,
  }
}

function parseProgram(value: unknown, at: string): HookSpec {
  const { path, args, env, timeout } = object(value, at)
  if (typeof path !== 'string' || !posix.isAbsolute(path))
    throw wrong(`${at}.path`, 'is not an absolute path')
  if (timeout !== undefined && !isTimeout(timeout)) {
    throw wrong(`${at}.timeout`, `is not a number of seconds from 1 to ${limits.timeoutSeconds}`)
  }
  return {
    path,
    ...(args === undefined ? {} : { args: texts(args, `${at}.args`) }),
    ...(env === undefined ? {} : { env: texts(env, `${at}.env`) }),
    ...(timeout === undefined ? {} : { timeout }),
  }
}

function isTimeout(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= limits.timeoutSeconds
}

function parseJson(text: string, at: string): unknown {
  try {
    return JSON.parse(text)
  } catch (err) {
    throw new RuntimeError('failed-precondition', `${at} is not JSON`, { cause: err })
  }
}

function object(value: unknown, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(at, 'is not an object')
  return value as Fields
}

function texts(value: unknown, at: string): readonly string[] {
  const isTexts = Array.isArray(value) && value.every(item => typeof item === 'string')
  if (!isTexts) throw wrong(at, 'is not a list of texts')
  if (value.length > limits.entries) throw wrong(at, `has more than ${limits.entries} entries`)
  return value
}

function flag(value: unknown, at: string): boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean') throw wrong(at, 'is not true or false')
  return value
}

function pattern(value: unknown, at: string): RegExp {
  if (typeof value !== 'string') throw wrong(at, 'is not a text')
  try {
    return new RegExp(value)
  } catch (err) {
    throw new RuntimeError('failed-precondition', `${at}: "${value}" is not a regular expression`, {
      cause: err,
    })
  }
}

function wrong(at: string, text: string): RuntimeError {
  return new RuntimeError('failed-precondition', `${at} ${text}`)
}
