import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError, readFileIfExists } from '#base/files'
import type { HookSpec, HookStage, HooksSpec, Spec } from '../spec/types.ts'
import { type HookCondition, type HookConfig, parseHook } from './parse-hook.ts'

const limits = { files: 256, fileBytes: 64 * 1024 } as const

/**
 * The hooks that the `*.json` files of a directory have for a container, in the order of the files' names. Conditions
 * look at the annotations of the OCI spec. A directory that is not there has none.
 * Errors: `failed-precondition` for a file that cannot be understood: a hook that must run is not passed over.
 */
export async function configuredHooks(
  directory: string,
  container: { readonly spec: Spec; readonly hasBindMounts: boolean },
): Promise<HooksSpec> {
  const chosen = new Map<HookStage, HookSpec[]>()
  for (const { hook, when, stages } of await loadHooks(directory)) {
    if (!holds(when, container)) continue
    for (const stage of new Set(stages)) chosen.set(stage, [...(chosen.get(stage) ?? []), hook])
  }
  return Object.fromEntries(chosen)
}

async function loadHooks(directory: string): Promise<readonly HookConfig[]> {
  const names = (await listFiles(directory)).filter(name => name.endsWith('.json')).sort()
  if (names.length > limits.files) {
    throw new RuntimeError('failed-precondition', `${directory} holds more than ${limits.files} hooks`)
  }
  const hooks: HookConfig[] = []
  for (const name of names) {
    const path = join(directory, name)
    const data = await readFileIfExists(path, limits.fileBytes)
    if (data) hooks.push(parseHook(path, data.toString()))
  }
  return hooks
}

async function listFiles(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw fileError(`cannot read ${directory}`, err)
  }
}

function holds(
  when: HookCondition,
  { spec, hasBindMounts }: { readonly spec: Spec; readonly hasBindMounts: boolean },
): boolean {
  const annotations = Object.entries(spec.annotations)
  const command = spec.process.args[0] ?? ''
  const answers = [
    ...(when.always === undefined ? [] : [when.always]),
    ...(when.hasBindMounts === undefined ? [] : [when.hasBindMounts && hasBindMounts]),
    ...when.annotations.map(wanted =>
      annotations.some(([key, value]) => wanted.key.test(key) && wanted.value.test(value)),
    ),
    ...(when.commands.length === 0 ? [] : [when.commands.some(pattern => pattern.test(command))]),
  ]
  return answers.length > 0 && answers.every(answer => answer)
}
