import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import type { ContainerMount } from '../../model/container.ts'
import type { SpecInput } from './spec-input.ts'
import type { LinuxSpec, MountSpec } from './types.ts'

/** Mount options that a client may add (CRI Mount.mount_options). */
const clientOptions = ['noexec', 'nodev', 'nosuid']

const propagationOptions = {
  private: 'rprivate',
  'host-to-container': 'rslave',
  bidirectional: 'rshared',
} as const

/**
 * All mounts of a container, parents before children. The client's replace those that every container has, and
 * a mount on /dev replaces everything below it. Sources of the client's mounts are its host paths as given.
 */
export function containerMounts(input: SpecInput): readonly MountSpec[] {
  const own = input.config.mounts.map(mount => clientMount(mount, input.hasRecursiveReadOnlyMounts))
  const taken = new Set(own.map(mount => mount.destination))
  const defaults = [...kernelMounts(input), ...podFiles(input)].filter(
    ({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')),
  )
  return [...defaults, ...own].sort((a, b) => depth(a) - depth(b))
}

/** Mounts of the host must reach, or be reached from, the container's mount namespace for these to work. */
export function rootfsPropagation(mounts: readonly ContainerMount[]): LinuxSpec['rootfsPropagation'] {
  if (mounts.some(mount => mount.propagation === 'bidirectional')) return 'rshared'
  return mounts.some(mount => mount.propagation === 'host-to-container') ? 'rslave' : undefined
}

/** Puts what host paths resolved to in the place of the host paths. */
export function withMountSources(
  mounts: readonly MountSpec[],
  sources: ReadonlyMap<string, string>,
): readonly MountSpec[] {
  return mounts.map(mount =>
    mount.type === 'bind' ? { ...mount, source: sources.get(mount.source) ?? mount.source } : mount,
  )
}

function depth(mount: MountSpec): number {
  return mount.destination.split('/').length
}

function clientMount(mount: ContainerMount, hasRecursiveReadOnly: boolean): MountSpec {
  const name = `mount of "${mount.hostPath}" on "${mount.containerPath}"`
  const wrong = (text: string): RuntimeError => new RuntimeError('invalid-argument', `${name}: ${text}`)
  if (mount.containerPath === '') throw wrong('container_path is empty')
  if (!posix.isAbsolute(mount.hostPath)) throw wrong('host_path is not an absolute path')
  if (`${mount.hostPath}${mount.containerPath}`.includes('\0')) throw wrong('path contains a NUL character')
  const destination = posix.join('/', mount.containerPath).replace(/(.)\/$/, '$1')
  if (destination === '/') throw wrong('cannot mount over the root directory')
  const option = mount.options.find(word => !clientOptions.includes(word))
  if (option !== undefined) throw wrong(`mount_options: "${option}" is none of ${clientOptions.join(', ')}`)
  return {
    destination,
    type: 'bind',
    source: mount.hostPath,
    options: [
      'rbind',
      propagationOptions[mount.propagation],
      accessOption(mount, { name, hasRecursiveReadOnly }),
      ...mount.options,
    ],
  }
}

function accessOption(
  mount: ContainerMount,
  context: { readonly name: string; readonly hasRecursiveReadOnly: boolean },
): 'rw' | 'ro' | 'rro' {
  if (!mount.isRecursiveReadOnly) return mount.isReadOnly ? 'ro' : 'rw'
  if (!mount.isReadOnly) {
    throw new RuntimeError('invalid-argument', `${context.name}: recursive_read_only needs readonly`)
  }
  if (mount.propagation !== 'private') {
    throw new RuntimeError(
      'invalid-argument',
      `${context.name}: recursive_read_only needs private propagation, not ${mount.propagation}`,
    )
  }
  if (!context.hasRecursiveReadOnly) {
    throw new RuntimeError(
      'failed-precondition',
      `${context.name}: recursive_read_only needs Linux 5.12 and an OCI runtime that knows it`,
    )
  }
  return 'rro'
}

function kernelMounts(input: SpecInput): readonly MountSpec[] {
  const access = input.config.security.isPrivileged ? 'rw' : 'ro'
  const shm = input.pod.config.namespaces.ipc === 'node' ? '/dev/shm' : input.podPaths.shm
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev/shm', type: 'bind', source: shm, options: ['rbind', 'rprivate', 'rw'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', access],
    },
  ]
}

/** Files that all containers of a pod share; they stay writable when the root is not. */
function podFiles(input: SpecInput): readonly MountSpec[] {
  const files = [
    ['/etc/hosts', input.podPaths.hosts],
    ['/etc/hostname', input.podPaths.hostname],
    ['/etc/resolv.conf', input.podPaths.resolvConf],
  ] as const
  return files.map(([destination, source]) => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', 'rw'],
  }))
}
