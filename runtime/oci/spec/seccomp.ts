import { RuntimeError } from '#base/errors'
import type { HostFacts, KernelVersion } from '../../host/host-facts.ts'
import type { ContainerSecurity } from '../../model/container.ts'
import { defaultSeccompProfile } from './seccomp-default.ts'
import type { SeccompCondition, SeccompProfile } from './seccomp-profile.ts'
import type { SeccompSpec } from './types.ts'

interface SeccompInput {
  readonly security: ContainerSecurity
  /** The profile that `localhost` names. */
  readonly localhost: SeccompProfile | undefined
  /** The container's bounding set. */
  readonly capabilities: ReadonlySet<string>
  readonly facts: Pick<HostFacts, 'architecture' | 'kernel'>
}

/** The filter of a container; undefined: unconfined, as when privileged or when no profile was asked for. */
export function containerSeccomp(input: SeccompInput): SeccompSpec | undefined {
  const wanted = input.security.seccomp
  if (input.security.isPrivileged || !wanted) return undefined
  switch (wanted.type) {
    case 'unconfined':
      return undefined
    case 'runtime-default':
      return fitProfile(defaultSeccompProfile, input)
    case 'localhost':
      if (!input.localhost) {
        throw new RuntimeError('failed-precondition', `seccomp profile ${wanted.ref} was not loaded`)
      }
      return fitProfile(input.localhost, input)
  }
}

type Circumstances = Pick<SeccompInput, 'capabilities' | 'facts'>

/** The rules of a profile that count for this container on this node. */
export function fitProfile(profile: SeccompProfile, circumstances: Circumstances): SeccompSpec {
  const syscalls = profile.rules
    .filter(
      rule => isAllTrue(rule.includes ?? {}, circumstances) && !isAnyTrue(rule.excludes ?? {}, circumstances),
    )
    .map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args ? { args } : {}),
    }))
  const architectures = profile.architectures ?? processorArchitectures(circumstances.facts.architecture)
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length > 0 ? { architectures } : {}),
    ...(profile.flags.length > 0 ? { flags: profile.flags } : {}),
    syscalls,
  }
}

function isAllTrue(condition: SeccompCondition, { capabilities, facts }: Circumstances): boolean {
  const { capabilities: wanted = [], architectures = [], minKernel } = condition
  return (
    wanted.every(name => capabilities.has(name)) &&
    (architectures.length === 0 || architectures.includes(facts.architecture)) &&
    (minKernel === undefined || isKernelAtLeast(facts.kernel, minKernel))
  )
}

function isAnyTrue(condition: SeccompCondition, { capabilities, facts }: Circumstances): boolean {
  const { capabilities: named = [], architectures = [], minKernel } = condition
  return (
    named.some(name => capabilities.has(name)) ||
    architectures.includes(facts.architecture) ||
    (minKernel !== undefined && isKernelAtLeast(facts.kernel, minKernel))
  )
}

function isKernelAtLeast(kernel: KernelVersion, wanted: KernelVersion): boolean {
  return kernel.major > wanted.major || (kernel.major === wanted.major && kernel.minor >= wanted.minor)
}

/** A filter must cover every ABI that a process can switch to, else the others would all be denied. */
function processorArchitectures(architecture: string): readonly string[] {
  const names: Readonly<Record<string, readonly string[]>> = {
    amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    '386': ['SCMP_ARCH_X86'],
    arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
    arm: ['SCMP_ARCH_ARM'],
    ppc64le: ['SCMP_ARCH_PPC64LE'],
    s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
    riscv64: ['SCMP_ARCH_RISCV64'],
    loong64: ['SCMP_ARCH_LOONGARCH64'],
  }
  return names[architecture] ?? []
}
