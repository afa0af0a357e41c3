import type { ContainerId } from '#base/ids'
import type { HostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig, ContainerUser } from '../../model/container.ts'
import type { ImageConfig } from '../../model/image.ts'
import type { Pod } from '../../model/pod.ts'
import type { PodPaths } from '../../state/paths.ts'
import type { SeccompProfile } from './seccomp-profile.ts'
import type { DeviceSpec } from './types.ts'

/** Everything that decides what is in a container's config.json; all questions to the host are answered already. */
export interface SpecInput {
  readonly id: ContainerId
  readonly config: ContainerConfig
  readonly pod: Pod
  /** The pod's pins and files; those of namespaces that the pod has not are unused. */
  readonly podPaths: Omit<PodPaths, 'directory'>
  /** Name that processes in the pod see (UTS), for $HOSTNAME. */
  readonly hostname: string
  readonly image: ImageConfig
  /** For the annotation io.kubernetes.cri.image-name. */
  readonly imageName: string
  readonly rootfsPath: string
  /** Where volumes are prepared (volumes.ts). */
  readonly volumesPath: string
  readonly facts: HostFacts
  readonly user: ContainerUser
  readonly cgroupsPath: string
  /** Nodes to make in the container, the client's as well as, when privileged, the host's. */
  readonly devices: readonly ContainerDeviceNode[]
  /** The parsed profile when config.security.seccomp is `localhost`. */
  readonly localhostSeccomp: SeccompProfile | undefined
  /** Name of the profile to confine with; undefined: none. */
  readonly apparmorProfile: string | undefined
  readonly targetPid: number | undefined
  readonly hasRecursiveReadOnlyMounts: boolean
  /** Annotations of the client that pass; see RuntimeHandlerConfig. */
  readonly allowedAnnotations: readonly string[]
  /** Whether a privileged container may use every device of the host. */
  readonly hasAllDevices: boolean
}

export interface ContainerDeviceNode {
  readonly node: DeviceSpec
  /** Device cgroup access, any of r, w, m. */
  readonly access: string
  /** Where the host has it, if that is another path. */
  readonly hostPath?: string
}
