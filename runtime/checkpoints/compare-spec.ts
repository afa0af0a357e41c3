import { isDeepStrictEqual } from 'node:util'
import { RuntimeError } from '#base/errors'
import type { Spec } from '../oci/spec/types.ts'
import type { SpecDump } from './dumps.ts'

/**
 * Refuses a container that the captured processes could not go on in. Mounts, namespaces and terminal are part of what
 * was captured, so the new ones have to be in the same places. Strict: the process that its config describes has to be
 * the captured one, too. Errors: `invalid-argument` with what differs.
 */
export function compareSpec(was: SpecDump, made: Spec, isStrict: boolean): void {
  const mounts = bindTargets(was.mounts)
  const madeMounts = bindTargets(made.mounts)
  for (const target of mounts) {
    if (!madeMounts.has(target)) {
      throw differs(`it had something mounted on ${target}, the config has no mount there`)
    }
  }
  for (const target of madeMounts) {
    if (!mounts.has(target)) throw differs(`the config has a mount on ${target}, it had none there`)
  }
  const shared = sharedNamespaces(was.linux.namespaces)
  const madeShared = sharedNamespaces(made.linux.namespaces)
  if (shared !== madeShared) {
    throw differs(`it was in namespaces ${shared}, and would be in ${madeShared}`)
  }
  if (was.process.terminal !== made.process.terminal) {
    throw differs(`it had ${was.process.terminal ? 'a' : 'no'} terminal`)
  }
  if (isStrict) compareProcess(was.process, made.process)
}

function compareProcess(was: SpecDump['process'], made: Spec['process']): void {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['command and args', was.args, made.args],
    ['working directory', was.cwd, made.cwd],
    ['environment', environment(was.env), environment(made.env)],
    ['user', userOf(was.user), userOf(made.user)],
    ['no_new_privs', was.noNewPrivileges, made.noNewPrivileges],
    ['capabilities', [...was.capabilities.effective].sort(), [...made.capabilities.effective].sort()],
  ]
  for (const [what, before, now] of pairs) {
    if (isDeepStrictEqual(before, now)) continue
    throw differs(`${what} of the config are not those of the captured process`)
  }
}

/** The hostname is the pod's, and a new pod has a new one. */
function environment(env: readonly string[]): readonly string[] {
  return env.filter(line => !line.startsWith('HOSTNAME=')).sort()
}

function userOf(user: SpecDump['process']['user'] | Spec['process']['user']): unknown {
  return { uid: user.uid, gid: user.gid, additionalGids: [...user.additionalGids].sort((a, b) => a - b) }
}

function bindTargets(
  mounts: readonly {
    readonly destination: string
    readonly type: string
    readonly options: readonly string[]
  }[],
): ReadonlySet<string> {
  const binds = mounts.filter(
    ({ type, options }) => type === 'bind' || options.includes('bind') || options.includes('rbind'),
  )
  return new Set(binds.map(({ destination }) => destination))
}

/** Which kinds are made for the container, and which are there before it. */
function sharedNamespaces(
  namespaces: readonly { readonly type: string; readonly path?: string | undefined }[],
): string {
  const words = namespaces.map(({ type, path }) => `${type}${path ? ' (shared)' : ''}`)
  return words.sort().join(', ')
}

function differs(what: string): RuntimeError {
  return new RuntimeError('invalid-argument', `the checkpoint is of another container: ${what}`)
}
