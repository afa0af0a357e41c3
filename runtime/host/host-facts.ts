import type { CgroupLayout } from './cgroups.ts'

/** What this machine and this process can do; gathered once at start, frozen. */
export interface HostFacts {
  readonly cgroups: CgroupLayout
  /** The daemon's own bounding set, names like CAP_CHOWN. */
  readonly capabilities: ReadonlySet<string>
  readonly oomScore: OomScoreFacts
  readonly hasApparmor: boolean
  readonly hasSelinux: boolean
  readonly kernel: KernelVersion
  /** Name as in Go's GOARCH (amd64, arm64, ...), which OCI uses. */
  readonly architecture: string
}

export interface OomScoreFacts {
  /** The daemon's own oom_score_adj. */
  readonly own: number
  /** Whether children may be given a lower one (CAP_SYS_RESOURCE). */
  readonly canLower: boolean
}

export interface KernelVersion {
  readonly major: number
  readonly minor: number
}
