import type { HookSpec, HookStage } from '../spec/types.ts'

/** One file of the Container Device Interface (CDI 1.1, SPEC.md), checked. */
export interface CdiSpec {
  readonly path: string
  /** `vendor/class`. */
  readonly kind: string
  /** What every device of the file brings, once. */
  readonly edits: ContainerEdits
  readonly devices: ReadonlyMap<string, ContainerEdits>
}

/** What a device changes in a container. */
export interface ContainerEdits {
  /** `NAME=value`. */
  readonly env: readonly string[]
  readonly deviceNodes: readonly CdiDeviceNode[]
  readonly mounts: readonly CdiMount[]
  readonly hooks: readonly { readonly stage: HookStage; readonly hook: HookSpec }[]
  readonly additionalGids: readonly number[]
}

export interface CdiDeviceNode {
  /** In the container. */
  readonly path: string
  readonly hostPath: string
  /** undefined, as all that follow: as the host's node has it. */
  readonly type: 'b' | 'c' | undefined
  readonly major: number | undefined
  readonly minor: number | undefined
  readonly fileMode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  /** Any of r, w, m. */
  readonly permissions: string
}

export interface CdiMount {
  readonly hostPath: string
  readonly containerPath: string
  readonly type: string
  readonly options: readonly string[]
}
