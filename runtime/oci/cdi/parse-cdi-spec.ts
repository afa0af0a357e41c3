import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { type HookSpec, hookStages } from '../spec/types.ts'
import type { CdiDeviceNode, CdiMount, CdiSpec, ContainerEdits } from './cdi-spec.ts'
import { isDeviceName, isKind } from './device-name.ts'

const versions = ['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0']
const limits = { entries: 4096 } as const
/** The last id, 2^32-1, stands for "no change" in system calls. */
const maxId = 4_294_967_294

type Fields = Readonly<Record<string, unknown>>

/** Errors: `failed-precondition` names the file and the field; `unimplemented` for edits that lighter cannot make. */
export function parseCdiSpec(path: string, value: unknown): CdiSpec {
  const at = `CDI spec ${path}`
  const fields = known(value, at, ['cdiVersion', 'kind', 'annotations', 'devices', 'containerEdits'])
  const version = text(fields.cdiVersion, `${at}: cdiVersion`)
  if (!versions.includes(version.replace(/^v/, ''))) {
    throw wrong(`${at}: cdiVersion`, `"${version}" is none of ${versions.join(', ')}`)
  }
  const kind = text(fields.kind, `${at}: kind`)
  if (!isKind(kind)) throw wrong(`${at}: kind`, `"${kind}" is not VENDOR/CLASS`)
  const devices = new Map<string, ContainerEdits>()
  for (const [index, item] of list(fields.devices, `${at}: devices`).entries()) {
    const [name, edits] = parseDevice(item, `${at}: devices[${index}]`)
    if (devices.has(name)) throw wrong(`${at}: devices`, `has two devices "${name}"`)
    devices.set(name, edits)
  }
  return { path, kind, edits: parseEdits(fields.containerEdits ?? {}, `${at}: containerEdits`), devices }
}

function parseDevice(value: unknown, at: string): readonly [string, ContainerEdits] {
  const fields = known(value, at, ['name', 'annotations', 'containerEdits'])
  const name = text(fields.name, `${at}.name`)
  if (!isDeviceName(name)) throw wrong(`${at}.name`, `"${name}" is not a device name`)
  return [name, parseEdits(fields.containerEdits, `${at}.containerEdits`)]
}

function parseEdits(value: unknown, at: string): ContainerEdits {
  const names = ['env', 'deviceNodes', 'netDevices', 'mounts', 'hooks', 'additionalGids', 'intelRdt']
  const fields = known(value, at, names)
  for (const name of ['netDevices', 'intelRdt'] as const) {
    if (fields[name] === undefined || fields[name] === null) continue
    throw new RuntimeError('unimplemented', `${at}.${name} is not supported`)
  }
  return {
    env: list(fields.env, `${at}.env`).map((item, index) => variable(item, `${at}.env[${index}]`)),
    deviceNodes: list(fields.deviceNodes, `${at}.deviceNodes`).map((item, index) =>
      parseNode(item, `${at}.deviceNodes[${index}]`),
    ),
    mounts: list(fields.mounts, `${at}.mounts`).map((item, index) =>
      parseMount(item, `${at}.mounts[${index}]`),
    ),
    hooks: list(fields.hooks, `${at}.hooks`).map((item, index) => parseHook(item, `${at}.hooks[${index}]`)),
    additionalGids: list(fields.additionalGids, `${at}.additionalGids`).map(gid =>
      integer(gid, `${at}.additionalGids`, maxId),
    ),
  }
}

function parseNode(value: unknown, at: string): CdiDeviceNode {
  const fields = object(value, at)
  const path = absolute(fields.path, `${at}.path`)
  const type = optional(fields.type, item => nodeType(item, `${at}.type`))
  const permissions = optional(fields.permissions, item => text(item, `${at}.permissions`)) ?? 'rwm'
  if (!/^[rwm]+$/.test(permissions)) throw wrong(`${at}.permissions`, 'is not made of r, w and m')
  const number = (name: string, maximum: number): number | undefined =>
    optional(fields[name], item => integer(item, `${at}.${name}`, maximum))
  return {
    path,
    hostPath: optional(fields.hostPath, item => absolute(item, `${at}.hostPath`)) ?? path,
    type,
    major: number('major', 0xfff),
    minor: number('minor', 0xfffff),
    fileMode: number('fileMode', 0o177777),
    uid: number('uid', maxId),
    gid: number('gid', maxId),
    permissions,
  }
}

/** u is c without a buffer, a difference that Linux does not make. */
function nodeType(value: unknown, at: string): 'b' | 'c' {
  if (value === 'p') throw new RuntimeError('unimplemented', `${at}: pipes (p) are not supported`)
  if (value !== 'b' && value !== 'c' && value !== 'u') throw wrong(at, 'is none of b, c, u, p')
  return value === 'b' ? 'b' : 'c'
}

function parseMount(value: unknown, at: string): CdiMount {
  const fields = known(value, at, ['hostPath', 'containerPath', 'type', 'options'])
  return {
    hostPath: text(fields.hostPath, `${at}.hostPath`),
    containerPath: absolute(fields.containerPath, `${at}.containerPath`),
    type: optional(fields.type, item => text(item, `${at}.type`)) ?? '',
    options: texts(fields.options, `${at}.options`),
  }
}

function parseHook(value: unknown, at: string): ContainerEdits['hooks'][number] {
  const fields = known(value, at, ['hookName', 'path', 'args', 'env', 'timeout'])
  const stage = hookStages.find(name => name === fields.hookName)
  if (!stage) throw wrong(`${at}.hookName`, `is none of ${hookStages.join(', ')}`)
  const timeout = optional(fields.timeout, item => integer(item, `${at}.timeout`, 24 * 60 * 60))
  const hook: HookSpec = {
    path: absolute(fields.path, `${at}.path`),
    args: texts(fields.args, `${at}.args`),
    env: texts(fields.env, `${at}.env`),
    ...(timeout ? { timeout } : {}),
  }
  return { stage, hook }
}

/** An object without fields that nobody would act upon: an edit that is not made is a device that does not work. */
function known(value: unknown, at: string, names: readonly string[]): Fields {
  const fields = object(value, at)
  const unknown = Object.keys(fields).find(name => !names.includes(name))
  if (unknown !== undefined) throw wrong(`${at}.${unknown}`, 'is not a field of CDI 1.1')
  return fields
}

function object(value: unknown, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(at, 'is not an object')
  return value as Fields
}

function optional<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : parse(value)
}

function list(value: unknown, at: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw wrong(at, 'is not a list')
  if (value.length > limits.entries) throw wrong(at, `has more than ${limits.entries} entries`)
  return value
}

function texts(value: unknown, at: string): readonly string[] {
  return list(value, at).map(item => text(item, at))
}

function text(value: unknown, at: string): string {
  if (typeof value !== 'string' || value.includes('\0')) throw wrong(at, 'is not a text')
  return value
}

function variable(value: unknown, at: string): string {
  const entry = text(value, at)
  if (entry.indexOf('=') < 1) throw wrong(at, 'is not NAME=value')
  return entry
}

function absolute(value: unknown, at: string): string {
  const path = text(value, at)
  if (!posix.isAbsolute(path)) throw wrong(at, 'is not an absolute path')
  return path
}

function integer(value: unknown, at: string, maximum: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > maximum) {
    throw wrong(at, `is not an integer from 0 to ${maximum}`)
  }
  return value
}

function wrong(at: string, message: string): RuntimeError {
  return new RuntimeError('failed-precondition', `${at} ${message}`)
}
