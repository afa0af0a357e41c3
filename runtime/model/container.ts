import type { ContainerId, PodId } from '#base/ids'
import type { ImageId } from './image.ts'
import type { IdMapping, LinuxResources, NamespaceOptions, SecurityProfile, SelinuxOptions } from './linux.ts'
import type { Owner } from './pod.ts'

export interface ContainerMetadata {
  readonly name: string
  readonly attempt: number
}

/** CRI MountPropagation, by name. */
export type MountPropagation = 'private' | 'host-to-container' | 'bidirectional'

/** CRI Mount. */
export interface ContainerMount {
  readonly containerPath: string
  readonly hostPath: string
  readonly isReadOnly: boolean
  readonly isRecursiveReadOnly: boolean
  readonly isSelinuxRelabeled: boolean
  readonly propagation: MountPropagation
  readonly uidMappings: readonly IdMapping[]
  readonly gidMappings: readonly IdMapping[]
  /** Reference of an image to mount instead of a host path; "" for none. */
  readonly image: string
  readonly imageSubPath: string
  readonly options: readonly string[]
}

/** CRI Device. */
export interface ContainerDevice {
  readonly containerPath: string
  readonly hostPath: string
  /** Any of r, w, m. */
  readonly permissions: string
}

/** CRI Capability; names without CAP_, upper case; ALL stands for every one. */
export interface CapabilityChange {
  readonly add: readonly string[]
  readonly drop: readonly string[]
  readonly addAmbient: readonly string[]
}

/** CRI LinuxContainerSecurityContext. */
export interface ContainerSecurity {
  readonly capabilities: CapabilityChange
  readonly isPrivileged: boolean
  readonly namespaces: NamespaceOptions
  readonly selinux: SelinuxOptions | undefined
  readonly runAsUser: number | undefined
  readonly runAsGroup: number | undefined
  /** "" for none. */
  readonly runAsUsername: string
  readonly isRootReadOnly: boolean
  readonly supplementalGroups: readonly number[]
  readonly supplementalGroupsPolicy: 'merge' | 'strict'
  readonly hasNoNewPrivileges: boolean
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  /** undefined: unconfined. */
  readonly seccomp: SecurityProfile | undefined
  readonly apparmor: SecurityProfile | undefined
}

/** What a client asked for (CRI ContainerConfig), kept as it came. */
export interface ContainerConfig {
  readonly metadata: ContainerMetadata
  /** As the client named it: an image id, or a reference. */
  readonly image: string
  /** The name that people know (CRI ImageSpec.user_specified_image); "" if not given. */
  readonly userSpecifiedImage: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  /** "" for the image's. */
  readonly workingDir: string
  readonly envs: readonly { readonly key: string; readonly value: string }[]
  readonly mounts: readonly ContainerMount[]
  readonly devices: readonly ContainerDevice[]
  readonly cdiDevices: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Relative to the pod's log directory; "" for no log. */
  readonly logPath: string
  readonly hasStdin: boolean
  readonly isStdinOnce: boolean
  readonly hasTty: boolean
  /** Name such as SIGTERM; "" for the image's. */
  readonly stopSignal: string
  readonly resources: LinuxResources | undefined
  readonly security: ContainerSecurity
}

/** creating → created → starting → running → exited → removing; see state/container-machine.ts. */
export type ContainerPhase = 'creating' | 'created' | 'starting' | 'running' | 'exited' | 'removing'

/** The identity that PID 1 was really given (CRI ContainerUser.linux). */
export interface ContainerUser {
  readonly uid: number
  readonly gid: number
  readonly supplementalGroups: readonly number[]
}

export interface ExitStatus {
  readonly exitCode: number
  /** Completed, Error, OOMKilled, StartError, Unknown. */
  readonly reason: string
  readonly message: string
}

/** The image that a mount of the container shows. */
export interface MountedImage {
  readonly containerPath: string
  readonly imageId: ImageId
}

/** One container: what its record holds and what every reader sees. */
export interface Container {
  readonly id: ContainerId
  readonly podId: PodId
  readonly owner: Owner
  readonly config: ContainerConfig
  readonly imageId: ImageId
  /** `name@sha256:…` of the image if it has one, else its id (CRI ContainerStatus.image_ref). */
  readonly imageRef: string
  /** One for each mount with an image. */
  readonly mountedImages: readonly MountedImage[]
  readonly phase: ContainerPhase
  readonly stage: string
  readonly createdAtNs: bigint
  /** 0 while it has not been started. */
  readonly startedAtNs: bigint
  /** 0 while it has not ended. */
  readonly finishedAtNs: bigint
  readonly pid: number | undefined
  readonly exit: ExitStatus | undefined
  readonly user: ContainerUser
  /** Effective stop signal, such as SIGTERM. */
  readonly stopSignal: string
  /** Absolute; "" for no log. */
  readonly logPath: string
  /** Path as in /proc/PID/cgroup, or slice:prefix:name with the systemd driver (OCI linux.cgroupsPath). */
  readonly cgroupsPath: string
  readonly resources: LinuxResources | undefined
  /** Directory of CRIU's images that it begins from; undefined: it runs its process from the start. */
  readonly checkpointImages?: string | undefined
}
