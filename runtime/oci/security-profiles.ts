import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { readFileIfExists } from '#base/files'
import type { HostFacts } from '../host/host-facts.ts'
import type { ContainerSecurity } from '../model/container.ts'
import { defaultApparmorProfile } from './apparmor-profile.ts'
import { parseSeccompProfile } from './spec/parse-seccomp-profile.ts'
import type { SeccompProfile } from './spec/seccomp-profile.ts'

const limits = { profileBytes: 1024 * 1024, loadedProfilesBytes: 1024 * 1024 } as const
const loadedProfilesPath = '/sys/kernel/security/apparmor/profiles'

/**
 * The seccomp profile file that a container names; undefined if it names none or is privileged.
 * Errors: `failed-precondition` if there is no such file, `invalid-argument` if it is not a profile.
 */
export async function loadSeccompProfile(security: ContainerSecurity): Promise<SeccompProfile | undefined> {
  const wanted = security.seccomp
  if (security.isPrivileged || wanted?.type !== 'localhost') return undefined
  if (!posix.isAbsolute(wanted.ref)) {
    throw new RuntimeError(
      'invalid-argument',
      `seccomp.localhost_ref "${wanted.ref}" is not an absolute path`,
    )
  }
  const data = await readFileIfExists(wanted.ref, limits.profileBytes)
  if (!data) throw new RuntimeError('failed-precondition', `seccomp profile ${wanted.ref} does not exist`)
  return parseSeccompProfile(wanted.ref, data.toString())
}

/**
 * The AppArmor profile to confine a container with; undefined: none.
 * Errors: `failed-precondition` if a profile is asked for that is not loaded, or the host has no AppArmor.
 */
export async function selectApparmorProfile(
  security: ContainerSecurity,
  facts: Pick<HostFacts, 'hasApparmor'>,
): Promise<string | undefined> {
  const wanted = security.apparmor
  if (security.isPrivileged || wanted?.type === 'unconfined') return undefined
  const name = wanted?.type === 'localhost' ? wanted.ref : defaultApparmorProfile
  if (!facts.hasApparmor) {
    if (wanted?.type !== 'localhost') return undefined
    throw new RuntimeError('failed-precondition', `AppArmor profile "${name}": this node has no AppArmor`)
  }
  const loaded = (await readFileIfExists(loadedProfilesPath, limits.loadedProfilesBytes))?.toString() ?? ''
  if (loaded.split('\n').some(line => line.startsWith(`${name} (`))) return name
  if (!wanted) return undefined
  throw new RuntimeError('failed-precondition', `AppArmor profile "${name}" is not loaded on this node`)
}
