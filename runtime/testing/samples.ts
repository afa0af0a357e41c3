import { createIds, parseDigest } from '#base/ids'
import type { Container, ContainerConfig } from '../model/container.ts'
import type { Pod, PodConfig } from '../model/pod.ts'

const ids = createIds()

/** A pod as the kubelet asks for it: own network and IPC, no shared PID namespace. */
export function samplePodConfig(changes: Partial<PodConfig> = {}): PodConfig {
  return {
    metadata: { name: 'web', uid: '6f1c', namespace: 'default', attempt: 0 },
    hostname: 'web',
    logDirectory: '',
    dns: undefined,
    portMappings: [],
    labels: { app: 'web' },
    annotations: {},
    cgroupParent: '',
    namespaces: { network: 'pod', pid: 'container', ipc: 'pod', targetId: '', user: undefined },
    sysctls: {},
    isPrivileged: false,
    seccomp: undefined,
    selinux: undefined,
    overhead: undefined,
    resources: undefined,
    ...changes,
  }
}

export function samplePod(changes: Partial<Pod> = {}): Pod {
  return {
    id: ids.podId(),
    owner: 'k8s.io',
    config: samplePodConfig(),
    runtimeHandler: '',
    phase: 'ready',
    stage: '',
    createdAtNs: 1_700_000_000_000_000_001n,
    network: { ips: ['10.88.0.2'] },
    isNetworkAttached: true,
    pausePid: undefined,
    ...changes,
  }
}

export function sampleContainerConfig(changes: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    metadata: { name: 'nginx', attempt: 0 },
    image: 'docker.io/library/nginx:1.27',
    userSpecifiedImage: '',
    command: [],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    cdiDevices: [],
    labels: { app: 'web' },
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
      namespaces: { network: 'pod', pid: 'container', ipc: 'pod', targetId: '', user: undefined },
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
    ...changes,
  }
}

export function sampleContainer(changes: Partial<Container> = {}): Container {
  const digest = parseDigest(`sha256:${'ab'.repeat(32)}`)
  return {
    id: ids.containerId(),
    podId: ids.podId(),
    owner: 'k8s.io',
    config: sampleContainerConfig(),
    imageId: digest,
    imageRef: `docker.io/library/nginx@${digest}`,
    mountedImages: [],
    phase: 'running',
    stage: '',
    createdAtNs: 1_700_000_000_000_000_002n,
    startedAtNs: 1_700_000_000_000_000_003n,
    finishedAtNs: 0n,
    pid: 4711,
    exit: undefined,
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    stopSignal: 'SIGTERM',
    logPath: '',
    cgroupsPath: '/lighter/x',
    resources: undefined,
    ...changes,
  }
}
