import assert from 'node:assert/strict'
import { test } from 'node:test'
import Long from 'long'
import { isKind } from '#base/errors'
import { v1 } from '#proto'
import { samplePod, samplePodId } from '../testing/samples.ts'
import { toPodConfig } from './pod-config.ts'
import { fromPodToStatus } from './pod-status.ts'

const metadata = { name: 'web', uid: 'u', namespace: 'n', attempt: 4 }

/** As it comes from a client: through bytes. */
function convert(message: v1.PodSandboxConfig.$Properties) {
  return toPodConfig(v1.PodSandboxConfig.decode(v1.PodSandboxConfig.encode(message).finish()))
}

test('what is not given is the zero value of the interface', () => {
  assert.deepEqual(convert({ metadata }), {
    metadata,
    hostname: '',
    logDirectory: '',
    dns: undefined,
    portMappings: [],
    labels: {},
    annotations: {},
    cgroupParent: '',
    namespaces: { network: 'pod', pid: 'pod', ipc: 'pod', targetId: '', user: undefined },
    sysctls: {},
    isPrivileged: false,
    seccomp: undefined,
    selinux: undefined,
    overhead: undefined,
    resources: undefined,
  })
})

test('everything that is given arrives', () => {
  const config = convert({
    metadata,
    hostname: 'h',
    logDirectory: '/var/log/pods/x',
    dnsConfig: { servers: ['10.0.0.10'], searches: ['a.b'], options: ['ndots:5'] },
    portMappings: [
      { protocol: v1.Protocol.UDP, containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' },
      { protocol: v1.Protocol.SCTP, containerPort: 1 },
    ],
    linux: {
      cgroupParent: '/kubepods/pod1',
      sysctls: { 'net.ipv4.ip_forward': '1' },
      overhead: { memoryLimitInBytes: Long.fromNumber(5) },
      securityContext: {
        privileged: true,
        seccomp: {},
        selinuxOptions: { level: 's0:c1,c2' },
        namespaceOptions: { network: v1.NamespaceMode.NODE, pid: v1.NamespaceMode.CONTAINER },
      },
    },
  })
  assert.deepEqual(config.dns, { servers: ['10.0.0.10'], searches: ['a.b'], options: ['ndots:5'] })
  assert.deepEqual(config.portMappings, [
    { protocol: 'udp', containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' },
    { protocol: 'sctp', containerPort: 1, hostPort: 0, hostIp: '' },
  ])
  assert.deepEqual([config.hostname, config.logDirectory], ['h', '/var/log/pods/x'])
  assert.deepEqual([config.cgroupParent, config.sysctls], ['/kubepods/pod1', { 'net.ipv4.ip_forward': '1' }])
  assert.deepEqual([config.namespaces.network, config.namespaces.pid], ['node', 'container'])
  assert.equal(config.isPrivileged, true)
  assert.deepEqual(config.seccomp, { type: 'runtime-default' })
  assert.deepEqual(config.selinux, { user: '', role: '', type: '', level: 's0:c1,c2' })
  assert.equal(config.overhead?.memoryLimitBytes, 5)
})

test('a log directory is absolute, since it would be below the directory of the daemon', () => {
  for (const logDirectory of ['pods', './pods', '../pods', '-']) {
    assert.throws(
      () => convert({ metadata, logDirectory }),
      (err: unknown) => isKind(err, 'invalid-argument') && err.message.includes(`log_directory`),
    )
  }
})

test('DNS that is there and empty is not the same as none', () => {
  assert.deepEqual(convert({ metadata, dnsConfig: {} }).dns, { servers: [], searches: [], options: [] })
})

test('namespaces come back in the status as they were asked for, with a user namespace too', () => {
  const ids = [{ hostId: 65_536, containerId: 0, length: 65_536 }]
  for (const usernsOptions of [
    undefined,
    { mode: v1.NamespaceMode.NODE, uids: [], gids: [] },
    { mode: v1.NamespaceMode.POD, uids: ids, gids: ids },
  ]) {
    const namespaceOptions = { pid: v1.NamespaceMode.CONTAINER, ...(usernsOptions && { usernsOptions }) }
    const pod = samplePod(
      samplePodId(1),
      convert({ metadata, linux: { securityContext: { namespaceOptions } } }),
    )
    const echoed = fromPodToStatus(pod).linux?.namespaces?.options ?? {}
    const throughBytes = (options: v1.NamespaceOption.$Properties) =>
      v1.NamespaceOption.decode(v1.NamespaceOption.encode(options).finish())
    assert.deepEqual(throughBytes(echoed), throughBytes(namespaceOptions))
  }
})

test('only a ready pod is READY', () => {
  const pod = samplePod(samplePodId(1), convert({ metadata }))
  for (const phase of ['creating', 'ready', 'stopping', 'notready', 'removing'] as const) {
    const { state } = fromPodToStatus({ ...pod, phase })
    assert.equal(state === v1.PodSandboxState.SANDBOX_READY, phase === 'ready', phase)
  }
})
