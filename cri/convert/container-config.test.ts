import assert from 'node:assert/strict'
import { test } from 'node:test'
import Long from 'long'
import { isKind } from '#base/errors'
import { v1 } from '#proto'
import { toContainerConfig } from './container-config.ts'
import { fromMount, toMount } from './container-mount.ts'

type Message = v1.ContainerConfig.$Properties
type Security = v1.LinuxContainerSecurityContext.$Properties

const smallest: Message = { metadata: { name: 'web' }, image: { image: 'web:1' } }

/** As it comes from a client: through bytes. */
function received(message: Message): v1.ContainerConfig {
  return v1.ContainerConfig.decode(v1.ContainerConfig.encode({ ...smallest, ...message }).finish())
}

function convert(message: Message) {
  return toContainerConfig(received(message))
}

function security(context: Security): Message {
  return { linux: { securityContext: context } }
}

function int(value: number | string): v1.Int64Value.$Properties {
  return { value: Long.fromValue(value) }
}

test('what is not given is the zero value of the interface', () => {
  assert.deepEqual(convert({}), {
    metadata: { name: 'web', attempt: 0 },
    image: 'web:1',
    userSpecifiedImage: '',
    command: [],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    cdiDevices: [],
    labels: {},
    annotations: {},
    logPath: '',
    hasStdin: false,
    isStdinOnce: false,
    hasTty: false,
    stopSignal: '',
    resources: undefined,
    security: {
      capabilities: { add: [], drop: [], addAmbient: [] },
      isPrivileged: false,
      namespaces: { network: 'pod', pid: 'pod', ipc: 'pod', targetId: '', user: undefined },
      selinux: undefined,
      runAsUser: undefined,
      runAsGroup: undefined,
      runAsUsername: '',
      isRootReadOnly: false,
      supplementalGroups: [],
      supplementalGroupsPolicy: 'merge',
      hasNoNewPrivileges: false,
      maskedPaths: [],
      readonlyPaths: [],
      seccomp: undefined,
      apparmor: undefined,
    },
  })
})

test('labels and annotations stay as they are, whatever their keys', () => {
  const labels = JSON.parse(
    '{"__proto__": "p", "constructor": "c", "a/b": "", "": "e", "ü": "☃\\n"}',
  ) as Record<string, string>
  const config = convert({ labels, annotations: labels })
  assert.equal(JSON.stringify(sorted(config.labels)), JSON.stringify(sorted(labels)))
  assert.equal(JSON.stringify(sorted(config.annotations)), JSON.stringify(sorted(labels)))
  assert.equal(Object.getPrototypeOf(config.labels), Object.prototype)
})

function sorted(map: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))
}

test('environment variables are UTF-8 text in the order given', () => {
  const { envs } = convert({
    envs: [
      { key: 'B', value: Buffer.from('ü=1') },
      { key: 'A', value: Buffer.from('') },
      { key: 'B', value: Buffer.from('2') },
      { key: 'C' },
    ],
  })
  assert.deepEqual(envs, [
    { key: 'B', value: 'ü=1' },
    { key: 'A', value: '' },
    { key: 'B', value: '2' },
    { key: 'C', value: '' },
  ])
})

test('numbers of the interface become names, and 64 bits stay exact', () => {
  const config = convert({
    stopSignal: v1.Signal.SIGNAL_SIGRTMINPLUS3,
    linux: {
      resources: {
        cpuQuota: Long.fromNumber(-1),
        cpuPeriod: Long.fromNumber(100_000),
        memoryLimitInBytes: Long.fromString('9007199254740991'),
        oomScoreAdj: Long.fromNumber(-998),
        hugepageLimits: [{ pageSize: '2MB', limit: Long.fromString('4194304', true) }],
        unified: { 'memory.oom.group': '1' },
      },
      securityContext: {
        namespaceOptions: {
          network: v1.NamespaceMode.NODE,
          pid: v1.NamespaceMode.TARGET,
          ipc: v1.NamespaceMode.POD,
          targetId: 'abc',
        },
        runAsUser: int(0),
        runAsGroup: int(1000),
        supplementalGroups: [Long.fromNumber(7)],
        supplementalGroupsPolicy: v1.SupplementalGroupsPolicy.Strict,
        capabilities: { addCapabilities: ['CAP_NET_ADMIN', 'sys_time', 'ALL'], dropCapabilities: ['all'] },
      },
    },
  })
  assert.equal(config.stopSignal, 'SIGRTMIN+3')
  assert.deepEqual(config.resources, {
    cpuQuotaUs: -1,
    cpuPeriodUs: 100_000,
    cpuShares: 0,
    memoryLimitBytes: 9_007_199_254_740_991,
    memorySwapLimitBytes: 0,
    oomScoreAdj: -998,
    cpusetCpus: '',
    cpusetMems: '',
    hugepageLimits: [{ pageSize: '2MB', limitBytes: 4_194_304 }],
    unified: { 'memory.oom.group': '1' },
  })
  assert.deepEqual(config.security.namespaces, {
    network: 'node',
    pid: 'target',
    ipc: 'pod',
    targetId: 'abc',
    user: undefined,
  })
  assert.deepEqual([config.security.runAsUser, config.security.runAsGroup], [0, 1000])
  assert.deepEqual(config.security.supplementalGroups, [7])
  assert.equal(config.security.supplementalGroupsPolicy, 'strict')
  assert.deepEqual(config.security.capabilities, {
    add: ['NET_ADMIN', 'SYS_TIME', 'ALL'],
    drop: ['ALL'],
    addAmbient: [],
  })
})

test('profiles: the message wins, the deprecated text is understood, nothing is nothing', () => {
  const { ProfileType } = v1.SecurityProfile
  const table: [Security, { seccomp?: unknown; apparmor?: unknown }][] = [
    [{ seccomp: {} }, { seccomp: { type: 'runtime-default' } }],
    [{ seccomp: { profileType: ProfileType.Unconfined } }, { seccomp: { type: 'unconfined' } }],
    [
      { seccomp: { profileType: ProfileType.Localhost, localhostRef: '/p.json' } },
      { seccomp: { type: 'localhost', ref: '/p.json' } },
    ],
    [{ seccompProfilePath: 'runtime/default' }, { seccomp: { type: 'runtime-default' } }],
    [{ seccompProfilePath: 'unconfined' }, { seccomp: { type: 'unconfined' } }],
    [{ seccompProfilePath: 'localhost//p.json' }, { seccomp: { type: 'localhost', ref: '/p.json' } }],
    [
      { seccomp: { profileType: ProfileType.Unconfined }, seccompProfilePath: 'runtime/default' },
      { seccomp: { type: 'unconfined' } },
    ],
    [{ apparmorProfile: 'localhost/mine' }, { apparmor: { type: 'localhost', ref: 'mine' } }],
    [
      { apparmor: { profileType: ProfileType.Localhost, localhostRef: 'mine' } },
      { apparmor: { type: 'localhost', ref: 'mine' } },
    ],
  ]
  for (const [context, expected] of table) {
    const { seccomp, apparmor } = convert(security(context)).security
    assert.deepEqual(
      { seccomp, apparmor },
      { seccomp: undefined, apparmor: undefined, ...expected },
      JSON.stringify(context),
    )
  }
})

test('a user namespace has one mapping each, from container id 0', () => {
  const ids = [{ hostId: 65_536, containerId: 0, length: 65_536 }]
  const config = convert(
    security({ namespaceOptions: { usernsOptions: { mode: v1.NamespaceMode.POD, uids: ids, gids: ids } } }),
  )
  assert.deepEqual(config.security.namespaces.user, { mode: 'pod', uids: ids, gids: ids })
})

test('mounts come back exactly as they were asked for', () => {
  const mounts: v1.Mount.$Properties[] = [
    { containerPath: '/a', hostPath: '/b' },
    {
      containerPath: '/a',
      hostPath: '/b/../c//',
      readonly: true,
      recursiveReadOnly: true,
      selinuxRelabel: true,
      uidMappings: [{ hostId: 1, containerId: 0, length: 2 }],
      gidMappings: [{ hostId: 3, containerId: 0, length: 4 }],
      mountOptions: ['noexec', 'nosuid'],
    },
    { containerPath: '/a', hostPath: '/b', propagation: v1.MountPropagation.PROPAGATION_BIDIRECTIONAL },
    {
      containerPath: '/a',
      image: { image: 'sha256:1', imageRef: 'sha256:2' },
      imageSubPath: 'x/y',
      readonly: true,
    },
  ]
  for (const mount of mounts) {
    const bytes = v1.Mount.encode(mount).finish()
    const echoed = v1.Mount.encode(fromMount(toMount(v1.Mount.decode(bytes), 0), 'sha256:2')).finish()
    assert.deepEqual(v1.Mount.decode(echoed), v1.Mount.decode(bytes))
  }
})

test('every wrong field is invalid-argument and is named', () => {
  const userns = (uids: v1.IDMapping.$Properties[]) =>
    security({ namespaceOptions: { usernsOptions: { mode: v1.NamespaceMode.POD, uids, gids: uids } } })
  const unknown: unknown = 99
  const table: [Message, RegExp][] = [
    [{ metadata: null }, /config\.metadata is required/],
    [{ metadata: { name: '' } }, /config\.metadata\.name/],
    [{ image: null }, /config\.image is required/],
    [{ image: { image: '' } }, /config\.image\.image/],
    [{ args: ['a', 'b\0c'] }, /config\.args\[1\]/],
    [{ workingDir: '/\0' }, /config\.working_dir/],
    [{ envs: [{ key: 'BROKEN', value: Uint8Array.of(0xff, 0xfe) }] }, /"BROKEN" is not UTF-8/],
    [{ envs: [{ key: 'N', value: Buffer.from('a\0') }] }, /"N" contains a NUL/],
    [{ envs: [{ key: '' }] }, /config\.envs\[0\]\.key/],
    [{ envs: [{ key: 'A=B' }] }, /"A=B"/],
    [{ mounts: [{ hostPath: '/a' }] }, /config\.mounts\[0\]\.container_path/],
    [{ mounts: [{ containerPath: '/a' }] }, /config\.mounts\[0\]\.host_path/],
    [{ mounts: [{ containerPath: '/a', hostPath: '/b', recursiveReadOnly: true }] }, /needs readonly/],
    [
      {
        mounts: [
          {
            containerPath: '/a',
            hostPath: '/b',
            readonly: true,
            recursiveReadOnly: true,
            propagation: v1.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
          },
        ],
      },
      /PROPAGATION_PRIVATE/,
    ],
    [{ devices: [{ containerPath: '/dev/a' }] }, /config\.devices\[0\]\.host_path/],
    [{ devices: [{ hostPath: '/dev/a', permissions: 'rx' }] }, /permissions/],
    [{ CDIDevices: [{ name: '' }] }, /CDI_devices\[0\]/],
    [{ stopSignal: unknown as v1.Signal }, /stop_signal/],
    [{ linux: { resources: { oomScoreAdj: Long.fromNumber(1001) } } }, /oom_score_adj/],
    [{ linux: { resources: { cpuShares: Long.MAX_VALUE } } }, /cpu_shares is out of range/],
    [security({ runAsGroup: int(5) }), /run_as_group needs/],
    [security({ runAsUser: int(-1) }), /run_as_user/],
    [security({ runAsUser: int(4_294_967_295) }), /run_as_user/],
    [security({ supplementalGroups: [Long.fromNumber(-2)] }), /supplemental_groups\[0\]/],
    [security({ namespaceOptions: { pid: v1.NamespaceMode.TARGET } }), /target_id/],
    [security({ namespaceOptions: { pid: unknown as v1.NamespaceMode } }), /pid is not a namespace mode/],
    [security({ seccomp: { profileType: v1.SecurityProfile.ProfileType.Localhost } }), /seccomp/],
    [security({ seccompProfilePath: 'localhost/p.json' }), /absolute/],
    [security({ seccompProfilePath: 'nonsense' }), /"nonsense"/],
    [userns([]), /uids must hold exactly one/],
    [userns([{ length: 1 }, { length: 1 }]), /uids must hold exactly one/],
    [userns([{ containerId: 1, hostId: 1, length: 1 }]), /container id 0/],
    [userns([{ hostId: 1 }]), /length is 0/],
  ]
  for (const [message, text] of table) {
    assert.throws(
      () => convert(message),
      err => isKind(err, 'invalid-argument') && text.test(err.message),
      JSON.stringify(message),
    )
  }
  assert.throws(
    () => toContainerConfig(null),
    err => isKind(err, 'invalid-argument'),
  )
})
