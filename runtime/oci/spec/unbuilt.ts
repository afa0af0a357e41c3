import { RuntimeError } from '#base/errors'
import type { HostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig } from '../../model/container.ts'

/** Refuses, by name, what a container config may ask for and lighter does not do yet: `unimplemented`. */
export function refuseUnbuilt(config: ContainerConfig, facts: Pick<HostFacts, 'hasSelinux'>): void {
  const refuse = (field: string): never => {
    throw new RuntimeError('unimplemented', `${field} is not supported (container "${config.metadata.name}")`)
  }
  for (const mount of config.mounts) {
    if (mount.isSelinuxRelabeled && facts.hasSelinux) {
      refuse(`mounts[${mount.containerPath}].selinux_relabel`)
    }
  }
}
