/** The part of an OCI runtime specification 1.0.2 config.json that lighter writes. */
export interface Spec {
  readonly ociVersion: string
  readonly process: ProcessSpec
  readonly root: { readonly path: string; readonly readonly: boolean }
  readonly mounts: readonly MountSpec[]
  readonly annotations: Readonly<Record<string, string>>
  readonly linux: LinuxSpec
  readonly hooks?: HooksSpec
}

/** Programs that the OCI runtime runs at the points of a container's life that give them their names. */
export interface HooksSpec {
  readonly prestart?: readonly HookSpec[]
  readonly createRuntime?: readonly HookSpec[]
  readonly createContainer?: readonly HookSpec[]
  readonly startContainer?: readonly HookSpec[]
  readonly poststart?: readonly HookSpec[]
  readonly poststop?: readonly HookSpec[]
}

/** Stages of the OCI runtime specification (config.md, POSIX-platform Hooks). */
export const hookStages = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const satisfies readonly (keyof HooksSpec)[]

export type HookStage = (typeof hookStages)[number]

export interface HookSpec {
  readonly path: string
  readonly args?: readonly string[]
  readonly env?: readonly string[]
  /** Seconds. */
  readonly timeout?: number
}

/** Also the content of a process.json for `exec`. */
export interface ProcessSpec {
  readonly terminal: boolean
  readonly user: UserSpec
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly cwd: string
  readonly capabilities: CapabilitySpec
  readonly noNewPrivileges: boolean
  readonly oomScoreAdj?: number
  readonly rlimits?: readonly RlimitSpec[]
  readonly apparmorProfile?: string
  readonly selinuxLabel?: string
}

export interface RlimitSpec {
  /** Such as RLIMIT_NOFILE. */
  readonly type: string
  readonly hard: number
  readonly soft: number
}

interface UserSpec {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
}

export interface CapabilitySpec {
  readonly bounding: readonly string[]
  readonly effective: readonly string[]
  readonly permitted: readonly string[]
  readonly inheritable: readonly string[]
  readonly ambient: readonly string[]
}

export interface MountSpec {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

export interface LinuxSpec {
  readonly namespaces: readonly NamespaceSpec[]
  readonly uidMappings?: readonly IdMappingSpec[]
  readonly gidMappings?: readonly IdMappingSpec[]
  readonly cgroupsPath: string
  readonly resources: ResourcesSpec
  readonly devices: readonly DeviceSpec[]
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  readonly seccomp?: SeccompSpec
  readonly rootfsPropagation?: 'rshared' | 'rslave'
  readonly mountLabel?: string
  readonly sysctl?: Readonly<Record<string, string>>
}

export interface IdMappingSpec {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

export interface NamespaceSpec {
  readonly type: 'mount' | 'network' | 'ipc' | 'uts' | 'pid' | 'cgroup' | 'user'
  /** Absent: a new one. */
  readonly path?: string
}

export interface DeviceSpec {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly fileMode: number
  readonly uid: number
  readonly gid: number
}

export interface DeviceRuleSpec {
  readonly allow: boolean
  readonly type?: 'a' | 'c' | 'b'
  readonly major?: number
  readonly minor?: number
  readonly access: string
}

export interface ResourcesSpec {
  readonly devices: readonly DeviceRuleSpec[]
  readonly memory?: MemorySpec
  readonly cpu?: CpuSpec
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[]
  readonly pids?: { readonly limit: number }
  readonly unified?: Readonly<Record<string, string>>
}

/** Bytes; -1: no limit. */
export interface MemorySpec {
  readonly limit?: number
  readonly swap?: number
  readonly reservation?: number
  readonly kernelTCP?: number
  /** 0 to 100. */
  readonly swappiness?: number
  readonly disableOOMKiller?: boolean
}

export interface CpuSpec {
  readonly shares?: number
  readonly quota?: number
  readonly period?: number
  readonly cpus?: string
  readonly mems?: string
  readonly realtimeRuntime?: number
  readonly realtimePeriod?: number
}

export interface SeccompSpec {
  readonly defaultAction: string
  readonly defaultErrnoRet?: number
  readonly architectures?: readonly string[]
  readonly flags?: readonly string[]
  readonly syscalls: readonly SeccompSyscallSpec[]
}

interface SeccompSyscallSpec {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number
  readonly args?: readonly SeccompArgumentSpec[]
}

export interface SeccompArgumentSpec {
  readonly index: number
  readonly value: number
  readonly valueTwo?: number
  readonly op: string
}
