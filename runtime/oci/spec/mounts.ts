import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { userMappings } from '../../host/id-mappings.ts'
import type { ContainerMount } from '../../model/container.ts'
import type { SpecInput } from './spec-input.ts'
import type { LinuxSpec, MountSpec } from './types.ts'
import { checkVolumes, isPrepared, mountName, preparedVolumePath } from './volumes.ts'

const propagationOptions = {
  private: 'rprivate',
  'host-to-container': 'rslave',
  bidirectional: 'rshared',
} as const

/**
 * All mounts of a container, parents before children. The client's replace those that every container has, and
 * a mount on /dev replaces everything below it. Sources of the client's mounts are its host paths as given, or where
 * they are prepared.
 */
export function containerMounts(input: SpecInput): readonly MountSpec[] {
  checkVolumes(input.config.mounts, input.pod)
  const own = input.config.mounts.map((mount, index) => clientMount(input, mount, index))
  const taken = new Set(own.map(mount => mount.destination))
  const defaults = [...kernelMounts(input), ...podFiles(input)].filter(
    ({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')),
  )
  return sortedMounts([...defaults, ...own])
}

/** Parents before children. */
export function sortedMounts(mounts: readonly MountSpec[]): readonly MountSpec[] {
  return mounts.toSorted((a, b) => depth(a) - depth(b))
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

function clientMount(input: SpecInput, mount: ContainerMount, index: number): MountSpec {
  const name = mountName(mount)
  const wrong = (text: string): RuntimeError => new RuntimeError('invalid-argument', `${name}: ${text}`)
  if (mount.containerPath === '') throw wrong('container_path is empty')
  const destination = posix.join('/', mount.containerPath).replace(/(.)\/$/, '$1')
  if (destination === '/') throw wrong('cannot mount over the root directory')
  const { hasRecursiveReadOnlyMounts: hasRecursiveReadOnly } = input
  const access = mount.image === '' ? accessOption(mount, { name, hasRecursiveReadOnly }) : 'ro'
  const isReady = isPrepared(mount, input.pod)
  // Inside a user namespace the runtime may not repeat flags of a mount from outside that has others, too.
  const isAsItIs = isReady && userMappings(input.pod.config.namespaces) !== undefined
  return {
    destination,
    type: 'bind',
    source: isReady ? preparedVolumePath(input.volumesPath, index) : mount.hostPath,
    options: [
      'rbind',
      propagationOptions[mount.propagation],
      ...(isAsItIs ? [] : [access, ...mount.options]),
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
    sysMount(input, access),
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', access],
    },
  ]
}

/** A user namespace can mount the sysfs only of a network namespace that belongs to it. */
function sysMount(input: SpecInput, access: 'rw' | 'ro'): MountSpec {
  const { namespaces } = input.pod.config
  const isHosts = namespaces.network === 'node' && userMappings(namespaces) !== undefined
  const options = ['nosuid', 'noexec', 'nodev', access]
  if (isHosts) {
    return { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'rprivate', ...options] }
  }
  return { destination: '/sys', type: 'sysfs', source: 'sysfs', options }
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
