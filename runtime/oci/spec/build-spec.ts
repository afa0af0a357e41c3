import { RuntimeError } from '#base/errors'
import { containerAnnotations } from './annotations.ts'
import { boundDevices, isBound } from './bound-devices.ts'
import { containerCapabilities } from './capabilities.ts'
import { containerMasks } from './masks.ts'
import { containerMounts, rootfsPropagation } from './mounts.ts'
import { containerNamespaces, idMappings } from './namespaces.ts'
import { containerProcess } from './process.ts'
import { containerResources } from './resources.ts'
import { containerSeccomp } from './seccomp.ts'
import { selinuxLabels } from './selinux.ts'
import type { SpecInput } from './spec-input.ts'
import type { Spec } from './types.ts'

/**
 * The config.json of a container; pure. Errors: `invalid-argument` and `unimplemented` name the field of the
 * container config, `failed-precondition` what the pod or the host lacks.
 */
export function buildSpec(input: SpecInput): Spec {
  const { config, facts } = input
  const { security } = config
  if (security.isPrivileged && !input.pod.config.isPrivileged) {
    throw new RuntimeError(
      'invalid-argument',
      `container "${config.metadata.name}" is privileged, its pod sandbox ${input.pod.id} is not`,
    )
  }
  const capabilities = containerCapabilities(security, facts.capabilities)
  const seccomp = containerSeccomp({
    security,
    localhost: input.localhostSeccomp,
    capabilities: new Set(capabilities.bounding),
    facts,
  })
  const labels = selinuxLabels(config, input.pod, facts)
  const propagation = rootfsPropagation(config.mounts)
  return {
    ociVersion: '1.0.2',
    process: containerProcess(input, capabilities),
    root: { path: input.rootfsPath, readonly: security.isRootReadOnly },
    mounts: [...containerMounts(input), ...boundDevices(input)],
    annotations: containerAnnotations(input),
    linux: {
      namespaces: containerNamespaces({ ...input, cgroups: facts.cgroups }),
      ...idMappings(input.pod),
      cgroupsPath: input.cgroupsPath,
      resources: containerResources({
        resources: config.resources,
        hasAllDevices: security.isPrivileged && input.hasAllDevices,
        devices: input.devices,
        cgroups: facts.cgroups,
      }),
      devices: input.devices.filter(device => !isBound(input, device)).map(device => device.node),
      ...containerMasks(security),
      ...(seccomp ? { seccomp } : {}),
      ...(propagation ? { rootfsPropagation: propagation } : {}),
      ...(labels ? { mountLabel: labels.mount } : {}),
    },
  }
}
