import { parseContainerId, parsePodId } from '#base/ids'
import type { HostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig, ContainerMount, ContainerSecurity } from '../../model/container.ts'
import type { ImageConfig } from '../../model/image.ts'
import type { LinuxResources, NamespaceOptions } from '../../model/linux.ts'
import type { Pod, PodConfig } from '../../model/pod.ts'
import type { SpecInput } from '../spec/spec-input.ts'

/** Plain values for tests, each to be changed in the one point that a test is about. */
export const sampleNamespaces: NamespaceOptions = {
  network: 'pod',
  pid: 'container',
  ipc: 'pod',
  targetId: '',
  user: undefined,
}

export const sampleSecurity: ContainerSecurity = {
  capabilities: { add: [], drop: [], addAmbient: [] },
  isPrivileged: false,
  namespaces: sampleNamespaces,
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
}

export const sampleResources: LinuxResources = {
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpuShares: 0,
  memoryLimitBytes: 0,
  memorySwapLimitBytes: 0,
  oomScoreAdj: 0,
  cpusetCpus: '',
  cpusetMems: '',
  hugepageLimits: [],
  unified: {},
}

export const sampleConfig: ContainerConfig = {
  metadata: { name: 'web', attempt: 0 },
  image: 'sha256:0000000000000000000000000000000000000000000000000000000000000000',
  userSpecifiedImage: 'example.org/web:1',
  command: ['/bin/server'],
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
  security: sampleSecurity,
}

export const sampleMount: ContainerMount = {
  containerPath: '/data',
  hostPath: '/srv/data',
  isReadOnly: false,
  isRecursiveReadOnly: false,
  isSelinuxRelabeled: false,
  propagation: 'private',
  uidMappings: [],
  gidMappings: [],
  image: '',
  imageSubPath: '',
  options: [],
}

const samplePodConfig: PodConfig = {
  metadata: { name: 'shop', uid: 'uid-1', namespace: 'default', attempt: 0 },
  hostname: 'shop',
  logDirectory: '',
  dns: undefined,
  portMappings: [],
  labels: {},
  annotations: {},
  cgroupParent: '',
  namespaces: sampleNamespaces,
  sysctls: {},
  isPrivileged: false,
  seccomp: undefined,
  selinux: undefined,
  overhead: undefined,
  resources: undefined,
}

export function samplePod(config: Partial<PodConfig> = {}): Pod {
  return {
    id: parsePodId('a'.repeat(64)),
    owner: 'k8s.io',
    config: { ...samplePodConfig, ...config },
    runtimeHandler: '',
    phase: 'ready',
    stage: '',
    createdAtNs: 1n,
    network: { ips: ['10.1.2.3'] },
    isNetworkAttached: true,
    pausePid: undefined,
  }
}

export const sampleImage: ImageConfig = {
  user: '',
  env: [],
  entrypoint: [],
  cmd: [],
  workingDir: '',
  stopSignal: '',
  volumes: [],
  labels: {},
  os: 'linux',
  architecture: 'amd64',
  created: '',
}

export const sampleFacts: HostFacts = {
  cgroups: {
    version: 1,
    driver: 'cgroupfs',
    controllers: { memory: '/sys/fs/cgroup/memory', cpu: '/sys/fs/cgroup/cpu' },
    unified: undefined,
    hasSwapAccounting: true,
  },
  capabilities: new Set(['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW', 'CAP_SYS_ADMIN', 'CAP_SYS_TIME']),
  oomScore: { own: 0, canLower: false },
  hasApparmor: false,
  hasSelinux: false,
  kernel: { major: 6, minor: 1 },
  architecture: 'amd64',
}

export const sampleSpecInput: SpecInput = {
  id: parseContainerId('c'.repeat(64)),
  config: sampleConfig,
  pod: samplePod(),
  podPaths: {
    network: '/pod/net',
    ipc: '/pod/ipc',
    uts: '/pod/uts',
    pid: '/pod/pid',
    shm: '/pod/shm',
    hosts: '/pod/hosts',
    hostname: '/pod/hostname',
    resolvConf: '/pod/resolv.conf',
  },
  hostname: 'shop',
  image: sampleImage,
  imageName: 'example.org/web:1',
  rootfsPath: '/bundle/rootfs',
  facts: sampleFacts,
  user: { uid: 0, gid: 0, supplementalGroups: [0] },
  cgroupsPath: '/lighter/c',
  devices: [],
  localhostSeccomp: undefined,
  apparmorProfile: undefined,
  targetPid: undefined,
  hasRecursiveReadOnlyMounts: true,
}

/** The sample container in a pod, with another config, image or security context. */
export function specInputWith(change: {
  readonly config?: Partial<ContainerConfig>
  readonly security?: Partial<ContainerSecurity>
  readonly image?: Partial<ImageConfig>
  readonly pod?: Partial<PodConfig>
  readonly facts?: Partial<HostFacts>
}): SpecInput {
  const security = { ...sampleSecurity, ...change.security }
  return {
    ...sampleSpecInput,
    config: { ...sampleConfig, ...change.config, security },
    image: { ...sampleImage, ...change.image },
    pod: samplePod(change.pod),
    facts: { ...sampleFacts, ...change.facts },
  }
}
