export type CgroupDriver = 'cgroupfs' | 'systemd'

/** How control groups are mounted on this machine. */
export interface CgroupLayout {
  /** 1 also for hybrid machines, where a v2 hierarchy without the usual controllers is mounted as well. */
  readonly version: 1 | 2
  readonly driver: CgroupDriver
  /** v1: controller → directory that its hierarchy is mounted on (also `name=systemd`). v2: controller → the one root. */
  readonly controllers: Readonly<Record<string, string>>
  /** Mount point of the v2 hierarchy, if any. */
  readonly unified: string | undefined
  /** Whether memory.memsw (v1) or memory.swap (v2) exists. */
  readonly hasSwapAccounting: boolean
}
