import { parseContainerId, parsePodId } from '#base/ids'
import type { RuntimeHandlerConfig } from '../../engine-config.ts'
import type { HostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig, ContainerMount, ContainerSecurity } from '../../model/container.ts'
import type { ImageConfig } from '../../model/image.ts'
import type { LinuxResources } from '../../model/linux.ts'
import type { Pod, PodConfig } from '../../model/pod.ts'
import { samplePod as makePod, sampleContainerConfig, samplePodConfig } from '../../testing/samples.ts'
import type { SpecInput } from '../spec/spec-input.ts'

/** Plain values for tests, each to be changed in the one point that a test is about. */
export const sampleConfig = sampleContainerConfig({
  metadata: { name: 'web', attempt: 0 },
  image: `sha256:${'0'.repeat(64)}`,
  userSpecifiedImage: 'example.org/web:1',
  command: ['/bin/server'],
  labels: {},
})

export const sampleSecurity = sampleConfig.security
export const sampleNamespaces = sampleSecurity.namespaces

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

export function samplePod(config: Partial<PodConfig> = {}): Pod {
  const metadata = { name: 'shop', uid: 'uid-1', namespace: 'default', attempt: 0 }
  return makePod({
    id: parsePodId('a'.repeat(64)),
    config: samplePodConfig({ metadata, hostname: 'shop', labels: {}, ...config }),
  })
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
  hardLimits: new Map(),
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
    user: '/pod/user',
    shm: '/pod/shm',
    hosts: '/pod/hosts',
    hostname: '/pod/hostname',
    resolvConf: '/pod/resolv.conf',
  },
  hostname: 'shop',
  image: sampleImage,
  imageName: 'example.org/web:1',
  rootfsPath: '/bundle/rootfs',
  volumesPath: '/bundle/volumes',
  facts: sampleFacts,
  user: { uid: 0, gid: 0, supplementalGroups: [0] },
  cgroupsPath: '/lighter/c',
  devices: [],
  localhostSeccomp: undefined,
  apparmorProfile: undefined,
  targetPid: undefined,
  hasRecursiveReadOnlyMounts: true,
  allowedAnnotations: [],
  hasAllDevices: true,
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

export const sampleHandler: RuntimeHandlerConfig = {
  name: 'runc',
  path: 'runc',
  isPrivilegedWithoutHostDevices: false,
  allowedAnnotations: [],
  hooksDir: '',
  hasDevicesOfUser: false,
}
