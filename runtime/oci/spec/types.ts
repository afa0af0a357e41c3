/** The part of an OCI runtime specification 1.0.2 config.json that lighter writes. */
export interface Spec {
  readonly ociVersion: string
  readonly process: ProcessSpec
  readonly root: { readonly path: string; readonly readonly: boolean }
  readonly mounts: readonly MountSpec[]
  readonly annotations: Readonly<Record<string, string>>
  readonly linux: LinuxSpec
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
  readonly apparmorProfile?: string
  readonly selinuxLabel?: string
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
  readonly cgroupsPath: string
  readonly resources: ResourcesSpec
  readonly devices: readonly DeviceSpec[]
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  readonly seccomp?: SeccompSpec
  readonly rootfsPropagation?: 'rshared' | 'rslave'
  readonly mountLabel?: string
}

export interface NamespaceSpec {
  readonly type: 'mount' | 'network' | 'ipc' | 'uts' | 'pid' | 'cgroup'
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
  readonly memory?: { readonly limit?: number; readonly swap?: number }
  readonly cpu?: CpuSpec
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[]
  readonly unified?: Readonly<Record<string, string>>
}

export interface CpuSpec {
  readonly shares?: number
  readonly quota?: number
  readonly period?: number
  readonly cpus?: string
  readonly mems?: string
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
