import Long from 'long'
import { v1 } from '#proto'
import { imageMethods, runtimeMethods } from '../methods.ts'

/** What requests are about; all of it exists. */
export interface Subjects {
  readonly podId: string
  /** Of a container in that pod that runs. */
  readonly containerId: string
  readonly image: string
  /** A directory for logs, sources of mounts and checkpoints. */
  readonly directory: string
  readonly cgroupParent: string
  /** Of the pod; what CreateContainer says of it is not what the engine goes by. */
  readonly podName: string
}

/** One right request of each RPC, with many fields set. `salt` makes the names of what it creates different. */
export function rightRequests(subjects: Subjects, salt: string): Readonly<Record<RpcName, Uint8Array>> {
  const { podId: podSandboxId, containerId } = subjects
  const filter = { id: podSandboxId, labelSelector: { app: 'web' } }
  return {
    ...emptyRequests(),
    RunPodSandbox: bytesOf(v1.RunPodSandboxRequest, { config: podConfig(subjects, `pod-${salt}`) }),
    StopPodSandbox: bytesOf(v1.StopPodSandboxRequest, { podSandboxId }),
    RemovePodSandbox: bytesOf(v1.RemovePodSandboxRequest, { podSandboxId }),
    PodSandboxStatus: bytesOf(v1.PodSandboxStatusRequest, { podSandboxId, verbose: true }),
    ListPodSandbox: bytesOf(v1.ListPodSandboxRequest, {
      filter: { ...filter, state: { state: v1.PodSandboxState.SANDBOX_READY } },
    }),
    StreamPodSandboxes: bytesOf(v1.StreamPodSandboxesRequest, { filter }),
    UpdatePodSandboxResources: bytesOf(v1.UpdatePodSandboxResourcesRequest, {
      podSandboxId,
      overhead: resources(),
      resources: resources(),
    }),
    PortForward: bytesOf(v1.PortForwardRequest, { podSandboxId, port: [80] }),
    PodSandboxStats: bytesOf(v1.PodSandboxStatsRequest, { podSandboxId }),
    ListPodSandboxStats: bytesOf(v1.ListPodSandboxStatsRequest, { filter }),
    StreamPodSandboxStats: bytesOf(v1.StreamPodSandboxStatsRequest, { filter }),
    StartContainer: bytesOf(v1.StartContainerRequest, { containerId }),
    StopContainer: bytesOf(v1.StopContainerRequest, { containerId, timeout: Long.fromNumber(1) }),
    RemoveContainer: bytesOf(v1.RemoveContainerRequest, { containerId }),
    ContainerStatus: bytesOf(v1.ContainerStatusRequest, { containerId, verbose: true }),
    ReopenContainerLog: bytesOf(v1.ReopenContainerLogRequest, { containerId }),
    ContainerStats: bytesOf(v1.ContainerStatsRequest, { containerId }),
    ...containerRequests(subjects, salt),
    ...imageRequests(subjects),
    ...checkpointRequests(subjects, salt),
  }
}

export type RpcName = keyof typeof runtimeMethods | keyof typeof imageMethods

/** Those whose request has no field, and those whose fields do not matter. */
function emptyRequests() {
  const none = new Uint8Array()
  return {
    Version: bytesOf(v1.VersionRequest, { version: 'v1' }),
    Status: bytesOf(v1.StatusRequest, { verbose: true }),
    RuntimeConfig: none,
    UpdateRuntimeConfig: bytesOf(v1.UpdateRuntimeConfigRequest, {
      runtimeConfig: { networkConfig: { podCidr: '10.0.0.0/24' } },
    }),
    ListMetricDescriptors: none,
    ListPodSandboxMetrics: none,
    StreamPodSandboxMetrics: none,
    GetContainerEvents: none,
    ImageFsInfo: none,
  }
}

function containerRequests(subjects: Subjects, salt: string) {
  const { podId: podSandboxId, containerId, podName } = subjects
  const streams = { stdin: false, stdout: true, stderr: true, tty: false }
  const filter = { id: containerId, podSandboxId, labelSelector: { app: 'web' } }
  return {
    CreateContainer: bytesOf(v1.CreateContainerRequest, {
      podSandboxId,
      config: containerConfig(subjects, `c-${salt}`),
      sandboxConfig: podConfig(subjects, podName),
    }),
    ListContainers: bytesOf(v1.ListContainersRequest, {
      filter: { ...filter, state: { state: v1.ContainerState.CONTAINER_RUNNING } },
    }),
    StreamContainers: bytesOf(v1.StreamContainersRequest, { filter }),
    ListContainerStats: bytesOf(v1.ListContainerStatsRequest, { filter }),
    StreamContainerStats: bytesOf(v1.StreamContainerStatsRequest, { filter }),
    UpdateContainerResources: bytesOf(v1.UpdateContainerResourcesRequest, {
      containerId,
      linux: resources(),
      annotations: { a: 'b' },
    }),
    ExecSync: bytesOf(v1.ExecSyncRequest, { containerId, cmd: ['true'], timeout: Long.fromNumber(5) }),
    Exec: bytesOf(v1.ExecRequest, { containerId, cmd: ['true'], ...streams }),
    Attach: bytesOf(v1.AttachRequest, { containerId, ...streams }),
  }
}

function imageRequests({ image }: Subjects) {
  return {
    ListImages: bytesOf(v1.ListImagesRequest, { filter: { image: { image } } }),
    StreamImages: bytesOf(v1.StreamImagesRequest, { filter: { image: { image } } }),
    ImageStatus: bytesOf(v1.ImageStatusRequest, { image: { image }, verbose: true }),
    PullImage: bytesOf(v1.PullImageRequest, {
      image: { image, annotations: { a: 'b' } },
      auth: { username: 'u', password: 'p', auth: 'dTpw', serverAddress: 'x', identityToken: '' },
    }),
    RemoveImage: bytesOf(v1.RemoveImageRequest, { image: { image } }),
  }
}

function checkpointRequests(subjects: Subjects, salt: string) {
  const { podId: podSandboxId, containerId, directory } = subjects
  return {
    CheckpointContainer: bytesOf(v1.CheckpointContainerRequest, {
      containerId,
      location: `${directory}/c-${salt}.tar`,
      timeout: Long.fromNumber(5),
    }),
    CheckpointPod: bytesOf(v1.CheckpointPodRequest, {
      podSandboxId,
      outputPath: `${directory}/p-${salt}.tar`,
      containerIds: [containerId],
    }),
    RestorePod: bytesOf(v1.RestorePodRequest, {
      checkpointPath: `${directory}/absent`,
      config: podConfig(subjects, `restored-${salt}`),
      containerConfigs: [containerConfig(subjects, `c-${salt}`)],
    }),
  }
}

function podConfig({ directory, cgroupParent }: Subjects, name: string): v1.PodSandboxConfig.$Properties {
  return {
    metadata: { name, uid: `uid-${name}`, namespace: 'fuzz', attempt: 0 },
    hostname: 'web',
    logDirectory: `${directory}/${name}`,
    dnsConfig: { servers: ['10.0.0.10'], searches: ['svc'], options: ['ndots:5'] },
    portMappings: [],
    labels: { app: 'web' },
    annotations: { note: 'x' },
    linux: {
      cgroupParent,
      sysctls: {},
      overhead: resources(),
      resources: resources(),
      securityContext: {
        namespaceOptions: { pid: v1.NamespaceMode.CONTAINER },
        seccomp: { profileType: v1.SecurityProfile.ProfileType.RuntimeDefault },
      },
    },
  }
}

function containerConfig({ image, directory }: Subjects, name: string): v1.ContainerConfig.$Properties {
  return {
    metadata: { name, attempt: 0 },
    image: { image, userSpecifiedImage: image },
    command: ['sleep'],
    args: ['1000'],
    workingDir: '/',
    envs: [{ key: 'KEY', value: Buffer.from('value') }],
    mounts: [{ containerPath: '/data', hostPath: directory, readonly: true }],
    devices: [{ containerPath: '/dev/x', hostPath: '/dev/null', permissions: 'r' }],
    labels: { app: 'web' },
    annotations: { note: 'x' },
    logPath: `${name}.log`,
    linux: {
      resources: resources(),
      securityContext: {
        namespaceOptions: { pid: v1.NamespaceMode.CONTAINER },
        capabilities: { addCapabilities: ['NET_RAW'], dropCapabilities: ['CHOWN'] },
        runAsUser: { value: Long.fromNumber(0) },
        supplementalGroups: [Long.fromNumber(5)],
        seccomp: { profileType: v1.SecurityProfile.ProfileType.RuntimeDefault },
        maskedPaths: ['/proc/kcore'],
        readonlyPaths: ['/proc/sys'],
      },
    },
  }
}

function resources(): v1.LinuxContainerResources.$Properties {
  return {
    cpuPeriod: Long.fromNumber(100_000),
    cpuQuota: Long.fromNumber(50_000),
    cpuShares: Long.fromNumber(512),
    memoryLimitInBytes: Long.fromNumber(256 * 1024 * 1024),
    oomScoreAdj: Long.fromNumber(500),
    hugepageLimits: [],
    unified: {},
  }
}

function bytesOf<Message>(
  type: { encode(message: Message): { finish(): Uint8Array } },
  message: Message,
): Uint8Array {
  return type.encode(message).finish()
}
