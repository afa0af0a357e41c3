import { RuntimeError } from '#base/errors'
import type { HostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig } from '../../model/container.ts'
import type { SelinuxOptions } from '../../model/linux.ts'
import type { Pod } from '../../model/pod.ts'

export interface SelinuxLabels {
  readonly process: string
  /** Of the root file system, and of volumes that are to be relabelled. */
  readonly mount: string
}

/**
 * Labels of a container on a host with SELinux: its own options, else its pod's; what these leave open gets the
 * customary value, and the pod's level keeps pods apart. Privileged ones have none. Errors: `invalid-argument`.
 */
export function selinuxLabels(
  config: ContainerConfig,
  pod: Pick<Pod, 'config' | 'selinuxLevel'>,
  facts: Pick<HostFacts, 'hasSelinux'>,
): SelinuxLabels | undefined {
  if (!facts.hasSelinux || config.security.isPrivileged) return undefined
  const options = config.security.selinux ?? pod.config.selinux
  checkOptions(options)
  const user = options?.user || 'system_u'
  const level = options?.level || pod.config.selinux?.level || pod.selinuxLevel || 's0'
  return {
    process: `${user}:${options?.role || 'system_r'}:${options?.type || 'container_t'}:${level}`,
    mount: `${user}:object_r:container_file_t:${level}`,
  }
}

function checkOptions(options: SelinuxOptions | undefined): void {
  for (const [name, value] of Object.entries(options ?? {})) {
    if (/^[\w.:,-]*$/.test(String(value))) continue
    throw new RuntimeError('invalid-argument', `selinux_options.${name}: "${value}" is not part of a label`)
  }
}
