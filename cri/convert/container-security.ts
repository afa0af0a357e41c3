import type { CapabilityChange, ContainerSecurity } from '#engine/model/container'
import { v1 } from '#proto'
import { invalid, plainText, plainTexts } from './fields.ts'
import { toId, toOptionalId } from './integers.ts'
import { toSeccompProfile, toSecurityProfile, toSelinux } from './linux.ts'
import { toNamespaces } from './namespaces.ts'

const at = 'config.linux.security_context'

/** LinuxContainerSecurityContext; one that is not given is one with all its zero values. */
export function toSecurity(
  input: v1.LinuxContainerSecurityContext.$Properties | null | undefined,
): ContainerSecurity {
  const context = input ?? {}
  return {
    capabilities: toCapabilities(context.capabilities),
    isPrivileged: context.privileged ?? false,
    namespaces: toNamespaces(context.namespaceOptions, `${at}.namespace_options`),
    selinux: toSelinux(context.selinuxOptions, `${at}.selinux_options`),
    ...toRunAs(context),
    isRootReadOnly: context.readonlyRootfs ?? false,
    supplementalGroups: (context.supplementalGroups ?? []).map((group, index) =>
      toId(group, `${at}.supplemental_groups[${index}]`),
    ),
    supplementalGroupsPolicy: toGroupsPolicy(context.supplementalGroupsPolicy),
    hasNoNewPrivileges: context.noNewPrivs ?? false,
    maskedPaths: plainTexts(context.maskedPaths, `${at}.masked_paths`),
    readonlyPaths: plainTexts(context.readonlyPaths, `${at}.readonly_paths`),
    seccomp: toSeccompProfile({
      profile: context.seccomp,
      deprecated: context.seccompProfilePath,
      field: `${at}.seccomp`,
    }),
    apparmor: toSecurityProfile({
      profile: context.apparmor,
      deprecated: context.apparmorProfile,
      field: `${at}.apparmor`,
    }),
  }
}

type RunAs = Pick<ContainerSecurity, 'runAsUser' | 'runAsGroup' | 'runAsUsername'>

function toRunAs(context: v1.LinuxContainerSecurityContext.$Properties): RunAs {
  const runAs = {
    runAsUser: toOptionalId(context.runAsUser, `${at}.run_as_user`),
    runAsGroup: toOptionalId(context.runAsGroup, `${at}.run_as_group`),
    runAsUsername: plainText(context.runAsUsername, `${at}.run_as_username`),
  }
  const hasUser = runAs.runAsUser !== undefined || runAs.runAsUsername !== ''
  if (runAs.runAsGroup !== undefined && !hasUser) {
    throw invalid(`${at}.run_as_group needs run_as_user or run_as_username`)
  }
  return runAs
}

function toCapabilities(input: v1.Capability.$Properties | null | undefined): CapabilityChange {
  return {
    add: toCapabilityNames(input?.addCapabilities, 'add_capabilities'),
    drop: toCapabilityNames(input?.dropCapabilities, 'drop_capabilities'),
    addAmbient: toCapabilityNames(input?.addAmbientCapabilities, 'add_ambient_capabilities'),
  }
}

/** Clients write `NET_ADMIN`, `CAP_NET_ADMIN` or `net_admin`. */
function toCapabilityNames(names: readonly string[] | null | undefined, list: string): readonly string[] {
  return plainTexts(names, `${at}.capabilities.${list}`).map(name => name.toUpperCase().replace(/^CAP_/, ''))
}

function toGroupsPolicy(
  policy: v1.SupplementalGroupsPolicy | null | undefined,
): ContainerSecurity['supplementalGroupsPolicy'] {
  const number = policy ?? v1.SupplementalGroupsPolicy.Merge
  switch (number) {
    case v1.SupplementalGroupsPolicy.Merge:
      return 'merge'
    case v1.SupplementalGroupsPolicy.Strict:
      return 'strict'
  }
  throw invalid(`${at}.supplemental_groups_policy is unknown: ${String(number)}`)
}
