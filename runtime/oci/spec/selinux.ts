import type { HostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig } from '../../model/container.ts'

interface SelinuxLabels {
  readonly process: string
  readonly mount: string
}

/** Labels of a container that asks for some on a host with SELinux; what is left open gets the customary value. */
export function selinuxLabels(
  config: ContainerConfig,
  facts: Pick<HostFacts, 'hasSelinux'>,
): SelinuxLabels | undefined {
  const options = config.security.selinux
  if (!facts.hasSelinux || !options || config.security.isPrivileged) return undefined
  const user = options.user || 'system_u'
  const level = options.level || 's0'
  return {
    process: `${user}:${options.role || 'system_r'}:${options.type || 'container_t'}:${level}`,
    mount: `${user}:object_r:container_file_t:${level}`,
  }
}
