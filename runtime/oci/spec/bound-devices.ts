import { userMappings } from '../../host/id-mappings.ts'
import type { ContainerDeviceNode, SpecInput } from './spec-input.ts'
import type { MountSpec } from './types.ts'

/**
 * Inside a user namespace no device can be made: OCI runtimes mount those of the host instead, and take for granted
 * that their paths are the same. Those whose are not become mounts.
 */
export function isBound(input: Pick<SpecInput, 'pod'>, device: ContainerDeviceNode): boolean {
  return device.hostPath !== undefined && userMappings(input.pod.config.namespaces) !== undefined
}

export function boundDevices(input: Pick<SpecInput, 'pod' | 'devices'>): readonly MountSpec[] {
  return input.devices
    .filter(device => isBound(input, device))
    .map(({ node, hostPath = node.path }) => ({
      destination: node.path,
      type: 'bind',
      source: hostPath,
      options: ['bind', 'rprivate', 'rw'],
    }))
}
