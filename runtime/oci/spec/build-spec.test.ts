import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { sampleNamespaces, sampleSpecInput, specInputWith } from '../testing/samples.ts'
import { buildSpec } from './build-spec.ts'

describe('the OCI spec of a container', () => {
  it('names the container as Kubernetes tools expect it', () => {
    assert.deepEqual(buildSpec(sampleSpecInput).annotations, {
      'io.kubernetes.cri.container-type': 'container',
      'io.kubernetes.cri.container-name': 'web',
      'io.kubernetes.cri.image-name': 'example.org/web:1',
      'io.kubernetes.cri.sandbox-id': 'a'.repeat(64),
      'io.kubernetes.cri.sandbox-name': 'shop',
      'io.kubernetes.cri.sandbox-namespace': 'default',
      'io.kubernetes.cri.sandbox-uid': 'uid-1',
    })
  })

  it('asks crun to make no group below the scope of the systemd driver', () => {
    const { cgroups } = sampleSpecInput.facts
    const { annotations } = buildSpec(
      specInputWith({ facts: { cgroups: { ...cgroups, version: 2, driver: 'systemd' } } }),
    )
    assert.equal(annotations['run.oci.systemd.subgroup'], '')
  })

  it('does not pass on annotations of the client', () => {
    const { annotations } = buildSpec(specInputWith({ config: { annotations: { 'run.oci.x': '1' } } }))
    assert.equal('run.oci.x' in annotations, false)
  })

  it('passes on those that the handler allows; a container hides its pod, and none hides one of ours', () => {
    const input = specInputWith({
      pod: { annotations: { 'a.org/one': 'pod', 'b.org/two': 'pod', 'c.org/exact': 'pod' } },
      config: {
        annotations: {
          'a.org/one': 'container',
          'c.org/exact.not': 'x',
          'io.kubernetes.cri.sandbox-id': 'x',
        },
      },
    })
    const allowedAnnotations = ['a.org/*', 'c.org/exact', 'io.*']
    const { annotations } = buildSpec({ ...input, allowedAnnotations })
    assert.equal(annotations['a.org/one'], 'container')
    assert.equal(annotations['c.org/exact'], 'pod')
    assert.equal(annotations['io.kubernetes.cri.sandbox-id'], 'a'.repeat(64))
    assert.equal('b.org/two' in annotations || 'c.org/exact.not' in annotations, false)
  })

  it('lets a privileged container use all devices, unless its handler says otherwise', () => {
    const input = specInputWith({ pod: { isPrivileged: true }, security: { isPrivileged: true } })
    const rules = (hasAllDevices: boolean) => buildSpec({ ...input, hasAllDevices }).linux.resources.devices
    assert.deepEqual(rules(true), [{ allow: true, access: 'rwm' }])
    assert.deepEqual(rules(false), [{ allow: false, access: 'rwm' }])
  })

  it('has the masks that were given, and none when privileged', () => {
    const security = { maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'] }
    const { maskedPaths, readonlyPaths } = buildSpec(specInputWith({ security })).linux
    assert.deepEqual({ maskedPaths, readonlyPaths }, security)
    const pod = { isPrivileged: true }
    const open = buildSpec(specInputWith({ pod, security: { ...security, isPrivileged: true } })).linux
    assert.deepEqual([open.maskedPaths, open.readonlyPaths], [[], []])
  })

  it('has SELinux labels only on a host with SELinux', () => {
    const selinux = { user: '', role: '', type: 'spc_t', level: 's0:c1,c2' }
    const off = buildSpec(specInputWith({ security: { selinux } }))
    assert.equal(off.process.selinuxLabel, undefined)
    const on = buildSpec(specInputWith({ security: { selinux }, facts: { hasSelinux: true } }))
    assert.equal(on.process.selinuxLabel, 'system_u:system_r:spc_t:s0:c1,c2')
    assert.equal(on.linux.mountLabel, 'system_u:object_r:container_file_t:s0:c1,c2')
  })

  it('has the SELinux level of its pod where it names none', () => {
    const labelOf = (change: Parameters<typeof specInputWith>[0]) => {
      const input = specInputWith({ facts: { hasSelinux: true }, ...change })
      return buildSpec({ ...input, pod: { ...input.pod, selinuxLevel: 's0:c7,c9' } }).process.selinuxLabel
    }
    const options = { user: '', role: '', type: '', level: '' }
    const ofPod = { ...options, type: 'web_t', level: 's0:c3' }
    assert.equal(labelOf({}), 'system_u:system_r:container_t:s0:c7,c9')
    assert.equal(labelOf({ security: { selinux: options } }), 'system_u:system_r:container_t:s0:c7,c9')
    assert.equal(labelOf({ pod: { selinux: ofPod } }), 'system_u:system_r:web_t:s0:c3')
    assert.equal(
      labelOf({ pod: { selinux: ofPod }, security: { selinux: { ...options, type: 'spc_t' } } }),
      'system_u:system_r:spc_t:s0:c3',
    )
    const privileged = { pod: { isPrivileged: true }, security: { isPrivileged: true, selinux: options } }
    assert.equal(labelOf(privileged), undefined)
    assert.throws(
      () => labelOf({ security: { selinux: { ...options, level: 's0",x="' } } }),
      err => isKind(err, 'invalid-argument') && err.message.includes('selinux_options.level'),
    )
  })

  it('has the AppArmor profile that was selected', () => {
    assert.equal(buildSpec({ ...sampleSpecInput, apparmorProfile: 'p' }).process.apparmorProfile, 'p')
  })

  it('is refused for a privileged container in a pod that is not', () => {
    assert.throws(
      () => buildSpec(specInputWith({ security: { isPrivileged: true } })),
      err => isKind(err, 'invalid-argument'),
    )
  })

  it('names the user namespace of the pod with its mappings', () => {
    const mapping = { hostId: 70_000, containerId: 0, length: 10 }
    const user = { mode: 'pod', uids: [mapping], gids: [{ ...mapping, length: 20 }] } as const
    const { linux } = buildSpec(specInputWith({ pod: { namespaces: { ...sampleNamespaces, user } } }))
    assert.deepEqual(linux.uidMappings, [{ containerID: 0, hostID: 70_000, size: 10 }])
    assert.deepEqual(linux.gidMappings, [{ containerID: 0, hostID: 70_000, size: 20 }])
    assert.equal(buildSpec(sampleSpecInput).linux.uidMappings, undefined)
  })

  it('mounts devices that have another path on the host into a user namespace, which can make none', () => {
    const node = { path: '/dev/new', type: 'c', major: 1, minor: 5, fileMode: 0o600, uid: 0, gid: 0 } as const
    const same = { node: { ...node, path: '/dev/same' }, access: 'r' }
    const devices = [{ node, access: 'rw', hostPath: '/dev/zero' }, same]
    const mapping = { hostId: 70_000, containerId: 0, length: 65_536 }
    const user = { mode: 'pod', uids: [mapping], gids: [mapping] } as const
    const inside = specInputWith({ pod: { namespaces: { ...sampleNamespaces, user } } })
    const bound = buildSpec({ ...inside, devices })
    assert.deepEqual(bound.linux.devices, [same.node])
    assert.deepEqual(bound.mounts.at(-1), {
      destination: '/dev/new',
      type: 'bind',
      source: '/dev/zero',
      options: ['bind', 'rprivate', 'rw'],
    })
    assert.equal(bound.linux.resources.devices.length, 3)
    assert.deepEqual(buildSpec({ ...sampleSpecInput, devices }).linux.devices, [node, same.node])
  })
})
