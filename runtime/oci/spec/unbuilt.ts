import { RuntimeError } from '#base/errors'
import type { HostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig } from '../../model/container.ts'

/** Refuses, by name, what a container config may ask for and lighter does not do yet: `unimplemented`. */
export function refuseUnbuilt(config: ContainerConfig, facts: Pick<HostFacts, 'hasSelinux'>): void {
  const refuse = (field: string): never => {
    throw new RuntimeError('unimplemented', `${field} is not supported (container "${config.metadata.name}")`)
  }
  if (config.cdiDevices.length > 0) refuse('CDI_devices')
  const cdi = Object.keys(config.annotations).find(key => key.startsWith('cdi.k8s.io/'))
  if (cdi !== undefined) refuse(`annotation ${cdi}`)
  for (const mount of config.mounts) {
    if (mount.image !== '') refuse(`mounts[${mount.containerPath}].image`)
    if (mount.uidMappings.length > 0) refuse(`mounts[${mount.containerPath}].uidMappings`)
    if (mount.gidMappings.length > 0) refuse(`mounts[${mount.containerPath}].gidMappings`)
    if (mount.isSelinuxRelabeled && facts.hasSelinux) {
      refuse(`mounts[${mount.containerPath}].selinux_relabel`)
    }
  }
  refuseUserNamespace(config)
}

function refuseUserNamespace(config: ContainerConfig): void {
  const user = config.security.namespaces.user
  if (!user || user.mode === 'node') return
  const field = 'namespace_options.userns_options'
  if (user.mode !== 'pod') {
    throw new RuntimeError('invalid-argument', `${field}.mode is ${user.mode}: only POD and NODE are allowed`)
  }
  throw new RuntimeError('unimplemented', `${field} is not supported (container "${config.metadata.name}")`)
}
