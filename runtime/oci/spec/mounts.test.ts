import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import type { ContainerMount } from '../../model/container.ts'
import { sampleMount, sampleNamespaces, specInputWith } from '../testing/samples.ts'
import { containerMounts, rootfsPropagation, withMountSources } from './mounts.ts'
import type { MountSpec } from './types.ts'

const mapping = { hostId: 70_000, containerId: 0, length: 65_536 }
const user = { mode: 'pod', uids: [mapping], gids: [mapping] } as const
const imageMount: Partial<ContainerMount> = { hostPath: '', image: 'example.org/data', isReadOnly: true }

function mountsWith(...mounts: readonly ContainerMount[]): readonly MountSpec[] {
  return containerMounts(specInputWith({ config: { mounts } }))
}

function at(mounts: readonly MountSpec[], destination: string): MountSpec | undefined {
  return mounts.find(mount => mount.destination === destination)
}

describe('mounts of a container', () => {
  it('are the usual ones, parents first', () => {
    assert.deepEqual(
      mountsWith().map(mount => mount.destination),
      [
        '/proc',
        '/dev',
        '/sys',
        '/dev/pts',
        '/dev/mqueue',
        '/dev/shm',
        '/etc/hosts',
        '/etc/hostname',
        '/etc/resolv.conf',
        '/sys/fs/cgroup',
      ],
    )
  })

  it('take /dev/shm from the pod, or from the host with its IPC namespace', () => {
    assert.equal(at(mountsWith(), '/dev/shm')?.source, '/pod/shm')
    const namespaces = { ...sampleNamespaces, ipc: 'node' } as const
    assert.equal(at(containerMounts(specInputWith({ pod: { namespaces } })), '/dev/shm')?.source, '/dev/shm')
  })

  it('leave /sys and the cgroups writable only to a privileged container', () => {
    for (const { isPrivileged, access } of [
      { isPrivileged: false, access: 'ro' },
      { isPrivileged: true, access: 'rw' },
    ]) {
      const mounts = containerMounts(specInputWith({ security: { isPrivileged } }))
      for (const path of ['/sys', '/sys/fs/cgroup']) assert.ok(at(mounts, path)?.options.includes(access))
    }
  })

  it('are replaced by those of the client', () => {
    const mounts = mountsWith({ ...sampleMount, containerPath: '/etc/hosts', hostPath: '/srv/hosts' })
    assert.deepEqual(
      mounts.filter(mount => mount.destination === '/etc/hosts').map(mount => mount.source),
      ['/srv/hosts'],
    )
  })

  it('below /dev make way for a /dev of the client', () => {
    const mounts = mountsWith({ ...sampleMount, containerPath: '/dev/', hostPath: '/dev' })
    assert.deepEqual(
      mounts.filter(mount => mount.destination.startsWith('/dev')).map(mount => mount.source),
      ['/dev'],
    )
  })

  const paths = [
    { containerPath: 'data', destination: '/data' },
    { containerPath: '/a//b/', destination: '/a/b' },
    { containerPath: '/a/../../etc/x', destination: '/etc/x' },
  ]
  for (const { containerPath, destination } of paths) {
    it(`go to ${destination} for container_path ${containerPath}`, () => {
      assert.ok(at(mountsWith({ ...sampleMount, containerPath }), destination))
    })
  }

  const options: readonly [Partial<ContainerMount>, readonly string[]][] = [
    [{}, ['rbind', 'rprivate', 'rw']],
    [{ isReadOnly: true }, ['rbind', 'rprivate', 'ro']],
    [{ isReadOnly: true, isRecursiveReadOnly: true }, ['rbind', 'rprivate', 'rro']],
    [{ propagation: 'host-to-container' }, ['rbind', 'rslave', 'rw']],
    [{ propagation: 'bidirectional' }, ['rbind', 'rshared', 'rw']],
    [{ options: ['noexec', 'nosuid'] }, ['rbind', 'rprivate', 'rw', 'noexec', 'nosuid']],
  ]
  for (const [change, expected] of options) {
    it(`have the options ${expected.join(',')} for ${JSON.stringify(change)}`, () => {
      assert.deepEqual(at(mountsWith({ ...sampleMount, ...change }), '/data')?.options, expected)
    })
  }

  const wrong: readonly Partial<ContainerMount>[] = [
    { containerPath: '' },
    { containerPath: '/' },
    { containerPath: '/a/..' },
    { containerPath: '/a\0' },
    { hostPath: '' },
    { hostPath: 'relative' },
    { options: ['suid'] },
    { isRecursiveReadOnly: true },
    { isRecursiveReadOnly: true, isReadOnly: true, propagation: 'host-to-container' },
    { isRecursiveReadOnly: true, isReadOnly: true, propagation: 'bidirectional' },
    { uidMappings: [mapping] },
    { gidMappings: [mapping] },
    { uidMappings: [mapping], gidMappings: [mapping], propagation: 'bidirectional' },
    { imageSubPath: 'x' },
    { ...imageMount, isReadOnly: false },
    { ...imageMount, hostPath: '/x' },
    { ...imageMount, propagation: 'host-to-container' },
    { ...imageMount, imageSubPath: 'a\0' },
    { ...imageMount, options: ['exec'] },
  ]
  for (const change of wrong) {
    it(`are refused for ${JSON.stringify(change)}`, () => {
      assert.throws(
        () => mountsWith({ ...sampleMount, ...change }),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }

  const prepared = '/bundle/volumes/0'
  const ready: readonly [string, Partial<ContainerMount>, boolean, Pick<MountSpec, 'source' | 'options'>][] =
    [
      ['an image', imageMount, false, { source: prepared, options: ['rbind', 'rprivate', 'ro'] }],
      [
        'an image in a user namespace',
        imageMount,
        true,
        { source: prepared, options: ['rbind', 'rprivate'] },
      ],
      [
        'mapped ids',
        {
          uidMappings: [mapping],
          gidMappings: [mapping],
          isReadOnly: true,
          propagation: 'host-to-container',
        },
        true,
        { source: prepared, options: ['rbind', 'rslave'] },
      ],
      [
        'options in a user namespace',
        { options: ['nosuid'] },
        true,
        { source: prepared, options: ['rbind', 'rprivate'] },
      ],
      [
        'nothing of that in a user namespace',
        {},
        true,
        { source: '/srv/data', options: ['rbind', 'rprivate', 'rw'] },
      ],
    ]
  for (const [name, change, hasUser, expected] of ready) {
    it(`come ${expected.source === prepared ? 'prepared' : 'as they are'} with ${name}`, () => {
      const mounts = [{ ...sampleMount, ...change }]
      const pod = hasUser ? { namespaces: { ...sampleNamespaces, user } } : {}
      const found = at(containerMounts(specInputWith({ config: { mounts }, pod })), '/data')
      assert.deepEqual({ source: found?.source, options: found?.options }, expected)
    })
  }

  it('do not share mounts out of a user namespace', () => {
    const mounts = [{ ...sampleMount, propagation: 'bidirectional' } as const]
    const pod = { namespaces: { ...sampleNamespaces, user } }
    assert.throws(
      () => containerMounts(specInputWith({ config: { mounts }, pod })),
      err => isKind(err, 'invalid-argument') && err.message.includes('user namespace'),
    )
  })

  it("take the host's /sys with its network into a user namespace, which cannot mount it", () => {
    const namespaces = { ...sampleNamespaces, user, network: 'node' } as const
    assert.equal(at(containerMounts(specInputWith({ pod: { namespaces } })), '/sys')?.type, 'bind')
  })

  it('cannot be so many that have to be prepared', () => {
    const mounts = Array.from({ length: 257 }, (_, n) => ({
      ...sampleMount,
      ...imageMount,
      containerPath: `/data-${String(n)}`,
    }))
    assert.throws(
      () => mountsWith(...mounts),
      err => isKind(err, 'invalid-argument') && err.message.includes('257'),
    )
  })

  it('cannot be recursively read-only where the node cannot do it', () => {
    const mounts = [{ ...sampleMount, isReadOnly: true, isRecursiveReadOnly: true }]
    assert.throws(
      () => containerMounts({ ...specInputWith({ config: { mounts } }), hasRecursiveReadOnlyMounts: false }),
      err => isKind(err, 'failed-precondition'),
    )
  })

  it('get what their host paths resolved to, and only they', () => {
    const mounts = withMountSources(
      mountsWith(sampleMount),
      new Map([
        ['/srv/data', '/mnt/disk'],
        ['proc', '/x'],
      ]),
    )
    assert.equal(at(mounts, '/data')?.source, '/mnt/disk')
    assert.equal(at(mounts, '/proc')?.source, 'proc')
  })
})

describe('propagation of the root', () => {
  const cases = [
    { propagations: [], expected: undefined },
    { propagations: ['private'], expected: undefined },
    { propagations: ['private', 'host-to-container'], expected: 'rslave' },
    { propagations: ['bidirectional', 'host-to-container'], expected: 'rshared' },
  ] as const
  for (const { propagations, expected } of cases) {
    it(`is ${String(expected)} for ${propagations.join(', ') || 'no mounts'}`, () => {
      const mounts = propagations.map(propagation => ({ ...sampleMount, propagation }))
      assert.equal(rootfsPropagation(mounts), expected)
    })
  }
})
