/** CRI NamespaceMode, by name. */
export type NamespaceMode = 'pod' | 'container' | 'node' | 'target'

export interface IdMapping {
  readonly hostId: number
  readonly containerId: number
  readonly length: number
}

/** CRI NamespaceOption. */
export interface NamespaceOptions {
  readonly network: NamespaceMode
  readonly pid: NamespaceMode
  readonly ipc: NamespaceMode
  readonly targetId: string
  /** undefined: no user namespace. */
  readonly user: UserNamespace | undefined
}

export interface UserNamespace {
  readonly mode: NamespaceMode
  readonly uids: readonly IdMapping[]
  readonly gids: readonly IdMapping[]
}

/** Seccomp or AppArmor profile (CRI SecurityProfile). */
export type SecurityProfile =
  | { readonly type: 'runtime-default' }
  | { readonly type: 'unconfined' }
  /** seccomp: an absolute path; AppArmor: the name of a loaded profile. */
  | { readonly type: 'localhost'; readonly ref: string }

export interface SelinuxOptions {
  readonly user: string
  readonly role: string
  readonly type: string
  readonly level: string
}

/** CRI LinuxContainerResources; 0 or "" or undefined: not set. */
export interface LinuxResources {
  readonly cpuPeriodUs: number
  /** -1: no limit. */
  readonly cpuQuotaUs: number
  readonly cpuShares: number
  readonly memoryLimitBytes: number
  readonly memorySwapLimitBytes: number
  readonly oomScoreAdj: number
  readonly cpusetCpus: string
  readonly cpusetMems: string
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limitBytes: number }[]
  readonly unified: Readonly<Record<string, string>>
}
