import type { LinuxResources, SecurityProfile, SelinuxOptions } from '#engine/model/linux'
import { v1 } from '#proto'
import { invalid, plainText, textMap } from './fields.ts'
import { fromNumber, toNumber } from './integers.ts'

const oomScoreAdj = { min: -1000, max: 1000 } as const

export function toResources(
  input: v1.LinuxContainerResources.$Properties | null | undefined,
  field: string,
): LinuxResources | undefined {
  if (!input) return undefined
  const adjustment = toNumber(input.oomScoreAdj, `${field}.oom_score_adj`)
  if (adjustment < oomScoreAdj.min || adjustment > oomScoreAdj.max) {
    throw invalid(`${field}.oom_score_adj is not between -1000 and 1000: ${adjustment}`)
  }
  return {
    cpuPeriodUs: toNumber(input.cpuPeriod, `${field}.cpu_period`),
    cpuQuotaUs: toNumber(input.cpuQuota, `${field}.cpu_quota`),
    cpuShares: toNumber(input.cpuShares, `${field}.cpu_shares`),
    memoryLimitBytes: toNumber(input.memoryLimitInBytes, `${field}.memory_limit_in_bytes`),
    memorySwapLimitBytes: toNumber(input.memorySwapLimitInBytes, `${field}.memory_swap_limit_in_bytes`),
    oomScoreAdj: adjustment,
    cpusetCpus: plainText(input.cpusetCpus, `${field}.cpuset_cpus`),
    cpusetMems: plainText(input.cpusetMems, `${field}.cpuset_mems`),
    hugepageLimits: (input.hugepageLimits ?? []).map((limit, index) => ({
      pageSize: plainText(limit.pageSize, `${field}.hugepage_limits[${index}].page_size`),
      limitBytes: toNumber(limit.limit, `${field}.hugepage_limits[${index}].limit`),
    })),
    unified: textMap(input.unified),
  }
}

export function fromResources(resources: LinuxResources): v1.LinuxContainerResources.$Properties {
  return {
    cpuPeriod: fromNumber(resources.cpuPeriodUs),
    cpuQuota: fromNumber(resources.cpuQuotaUs),
    cpuShares: fromNumber(resources.cpuShares),
    memoryLimitInBytes: fromNumber(resources.memoryLimitBytes),
    memorySwapLimitInBytes: fromNumber(resources.memorySwapLimitBytes),
    oomScoreAdj: fromNumber(resources.oomScoreAdj),
    cpusetCpus: resources.cpusetCpus,
    cpusetMems: resources.cpusetMems,
    hugepageLimits: resources.hugepageLimits.map(limit => ({
      pageSize: limit.pageSize,
      limit: fromNumber(limit.limitBytes),
    })),
    unified: resources.unified,
  }
}

export function toSelinux(
  input: v1.SELinuxOption.$Properties | null | undefined,
  field: string,
): SelinuxOptions | undefined {
  if (!input) return undefined
  return {
    user: plainText(input.user, `${field}.user`),
    role: plainText(input.role, `${field}.role`),
    type: plainText(input.type, `${field}.type`),
    level: plainText(input.level, `${field}.level`),
  }
}

export interface ProfileInput {
  readonly profile: v1.SecurityProfile.$Properties | null | undefined
  /** The text that older clients send: "", `runtime/default`, `unconfined` or `localhost/REF`. */
  readonly deprecated: string | null | undefined
  readonly field: string
}

/** A seccomp or AppArmor profile; the message wins over the deprecated text. undefined: none was asked for. */
export function toSecurityProfile({ profile, deprecated, field }: ProfileInput): SecurityProfile | undefined {
  if (profile) return fromMessage(profile, field)
  if (!deprecated) return undefined
  if (deprecated === 'runtime/default' || deprecated === 'docker/default') return { type: 'runtime-default' }
  if (deprecated === 'unconfined') return { type: 'unconfined' }
  const prefix = 'localhost/'
  if (deprecated.startsWith(prefix)) return localhost(deprecated.slice(prefix.length), field)
  throw invalid(`${field} is not a profile: "${deprecated}"`)
}

function fromMessage(profile: v1.SecurityProfile.$Properties, field: string): SecurityProfile {
  const type = profile.profileType ?? v1.SecurityProfile.ProfileType.RuntimeDefault
  switch (type) {
    case v1.SecurityProfile.ProfileType.RuntimeDefault:
      return { type: 'runtime-default' }
    case v1.SecurityProfile.ProfileType.Unconfined:
      return { type: 'unconfined' }
    case v1.SecurityProfile.ProfileType.Localhost:
      return localhost(profile.localhostRef ?? '', `${field}.localhost_ref`)
  }
  // An enum of proto3 is open: a newer client may send what this list does not have.
  throw invalid(`${field}.profile_type is unknown: ${String(type)}`)
}

function localhost(ref: string, field: string): SecurityProfile {
  if (ref === '') throw invalid(`${field} names no profile`)
  return { type: 'localhost', ref: plainText(ref, field) }
}

/** Seccomp profiles are files: a name without a path cannot be found. */
export function toSeccompProfile(input: ProfileInput): SecurityProfile | undefined {
  const profile = toSecurityProfile(input)
  if (profile?.type === 'localhost' && !profile.ref.startsWith('/')) {
    throw invalid(`${input.field} is not an absolute path: "${profile.ref}"`)
  }
  return profile
}
