import type { PodId } from '#base/ids'
import type { LinuxResources, NamespaceOptions, SecurityProfile, SelinuxOptions } from './linux.ts'

/** Identity of a pod sandbox (CRI PodSandboxMetadata); the four together are unique on a node. */
export interface PodMetadata {
  readonly name: string
  readonly uid: string
  readonly namespace: string
  readonly attempt: number
}

export interface DnsConfig {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp'

export interface PortMapping {
  readonly protocol: PortProtocol
  readonly containerPort: number
  /** 0: nothing is published. */
  readonly hostPort: number
  readonly hostIp: string
}

/** What a client asked for (CRI PodSandboxConfig), kept as it came. */
export interface PodConfig {
  readonly metadata: PodMetadata
  readonly hostname: string
  readonly logDirectory: string
  /** undefined: the host's resolv.conf. */
  readonly dns: DnsConfig | undefined
  readonly portMappings: readonly PortMapping[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** cgroupfs: a path; systemd: a slice. Empty: lighter's own default. */
  readonly cgroupParent: string
  readonly namespaces: NamespaceOptions
  readonly sysctls: Readonly<Record<string, string>>
  readonly isPrivileged: boolean
  readonly seccomp: SecurityProfile | undefined
  readonly selinux: SelinuxOptions | undefined
  readonly overhead: LinuxResources | undefined
  readonly resources: LinuxResources | undefined
}

/** Owner spaces: an object is visible only through the door it came in by. */
export type Owner = 'k8s.io' | 'docker' | 'build'

/**
 * creating: being made, or a half-made one whose undo failed (a restart turns it into notready).
 * ready: usable. notready: stopped or broken; its record stays until it is removed. See state/pod-machine.ts.
 */
export type PodPhase = 'creating' | 'ready' | 'stopping' | 'notready' | 'removing'

export interface PodNetworkResult {
  /** First the primary address, then the additional ones; empty with the host's network. */
  readonly ips: readonly string[]
}

/** One pod sandbox: what its record holds and what every reader sees. */
export interface Pod {
  readonly id: PodId
  readonly owner: Owner
  readonly config: PodConfig
  /** Name of a configured runtime handler; "" is the default one. */
  readonly runtimeHandler: string
  readonly phase: PodPhase
  /** Step that the running operation is at, or at which it failed. */
  readonly stage: string
  readonly createdAtNs: bigint
  readonly network: PodNetworkResult
  /** True from before CNI ADD until CNI DEL succeeded. */
  readonly isNetworkAttached: boolean
  /** Process that is PID 1 of a shared PID namespace. */
  readonly pausePid: number | undefined
  /** SELinux level that keeps the pod apart from others; undefined where the node has no SELinux. */
  readonly selinuxLevel?: string | undefined
}
