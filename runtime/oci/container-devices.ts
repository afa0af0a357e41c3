import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { findDevices, type HostDevice, listHostDevices } from '../host/devices.ts'
import type { ContainerConfig, ContainerDevice, ContainerSecurity } from '../model/container.ts'
import type { ContainerDeviceNode } from './spec/spec-input.ts'

interface DeviceOptions {
  /** Privileged containers get all of the host's. */
  readonly hasAllDevices: boolean
  /** Devices belong to run_as_user and run_as_group, where these are given. */
  readonly hasDevicesOfUser: boolean
}

/**
 * Device nodes of a container: those of its config, and all of the host's when it is privileged. For one path in
 * the container the config's wins. Errors: `invalid-argument`, `not-found` that name the device.
 */
export async function containerDevices(
  config: ContainerConfig,
  options: DeviceOptions,
): Promise<readonly ContainerDeviceNode[]> {
  const nodes = new Map<string, ContainerDeviceNode>()
  if (config.security.isPrivileged && options.hasAllDevices) {
    for (const device of await listHostDevices())
      nodes.set(device.path, deviceNode(device, device.path, 'rwm'))
  }
  for (const device of config.devices) {
    for (const found of await configuredNodes(device)) {
      const owner = options.hasDevicesOfUser ? ownerOf(config.security) : {}
      nodes.set(found.node.path, { ...found, node: { ...found.node, ...owner } })
    }
  }
  return [...nodes.values()]
}

function ownerOf({ runAsUser, runAsGroup }: ContainerSecurity): {
  readonly uid?: number
  readonly gid?: number
} {
  return {
    ...(runAsUser === undefined ? {} : { uid: runAsUser }),
    ...(runAsGroup === undefined ? {} : { gid: runAsGroup }),
  }
}

async function configuredNodes(device: ContainerDevice): Promise<readonly ContainerDeviceNode[]> {
  const { hostPath, containerPath } = device
  const permissions = device.permissions === '' ? 'rwm' : device.permissions
  if (!posix.isAbsolute(hostPath) || hostPath.includes('\0')) {
    throw new RuntimeError('invalid-argument', `devices: host_path "${hostPath}" is not an absolute path`)
  }
  if (containerPath === '' || containerPath.includes('\0')) {
    throw new RuntimeError(
      'invalid-argument',
      `devices: container_path of ${hostPath} is empty or not a path`,
    )
  }
  if (!/^[rwm]+$/.test(permissions)) {
    throw new RuntimeError('invalid-argument', `devices: permissions "${permissions}" are not any of r, w, m`)
  }
  const found = await findDevices(hostPath)
  return found.map(host => {
    const path = posix.join('/', containerPath, posix.relative(hostPath, host.path))
    return deviceNode(host, path, permissions)
  })
}

function deviceNode(device: HostDevice, path: string, access: string): ContainerDeviceNode {
  const { type, major, minor, mode, uid, gid } = device
  const node = { path, type, major, minor, fileMode: mode, uid, gid }
  return { node, access, ...(device.path === path ? {} : { hostPath: device.path }) }
}
