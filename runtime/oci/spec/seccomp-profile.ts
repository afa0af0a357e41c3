import type { KernelVersion } from '../../host/host-facts.ts'
import type { SeccompArgumentSpec } from './types.ts'

/** A seccomp profile before it is fitted to one container: rules may depend on what the container may do. */
export interface SeccompProfile {
  readonly defaultAction: string
  readonly defaultErrnoRet?: number
  /** SCMP_ARCH_... names; undefined: those that the node's processor can run. */
  readonly architectures: readonly string[] | undefined
  readonly flags: readonly string[]
  readonly rules: readonly SeccompRule[]
}

export interface SeccompRule {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number
  readonly args?: readonly SeccompArgumentSpec[]
  /** The rule counts only where all of it is so. */
  readonly includes?: SeccompCondition
  /** The rule does not count where any of it is so. */
  readonly excludes?: SeccompCondition
}

export interface SeccompCondition {
  /** Capabilities in the container's bounding set: includes wants all of them, excludes none. */
  readonly capabilities?: readonly string[]
  /** The node's architecture is one of these (amd64, arm64, ...). */
  readonly architectures?: readonly string[]
  /** The kernel is this or newer. */
  readonly minKernel?: KernelVersion
}
