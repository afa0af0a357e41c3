import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import type { Ids, PodId } from '#base/ids'
import type { KeyedLock } from '#base/locks'
import type { Log } from '#base/log'
import type { NetworkService } from '#cni/network'
import type { Host } from '#shim/host'
import type { PodContainers } from '../containers/pod-containers.ts'
import type { UserNamespaces } from '../containers/user-namespaces.ts'
import type { Pod } from '../model/pod.ts'
import type { Plugins } from '../plugins/plugins.ts'
import type { MakeOnce } from '../state/make-once.ts'
import type { Names } from '../state/names.ts'
import type { Paths } from '../state/paths.ts'
import type { Table } from '../state/table.ts'
import type { NetworkJanitor } from './network-janitor.ts'

/** What the operations on pods are made of. */
export interface PodDeps {
  readonly table: Table<Pod>
  readonly names: Names
  /** One pod, one operation at a time. */
  readonly locks: KeyedLock
  readonly makeOnce: MakeOnce<PodId>
  readonly host: Host
  readonly network: NetworkService
  readonly janitor: NetworkJanitor
  readonly paths: Paths
  /** Path of lighter-pause. */
  readonly pauseProgram: string
  readonly pauseCgroup: PauseCgroup
  /** Text of a pod's resolv.conf. */
  readonly resolvConf: (pod: Pod) => Promise<string>
  readonly hasRuntimeHandler: (name: string) => boolean
  readonly userNamespaces: UserNamespaces
  /** Errors: `failed-precondition` with the reason why a configured handler cannot be used on this node. */
  readonly requireRuntimeHandler: (ctx: Ctx, name: string) => Promise<void>
  /** Level of a new pod (Pod.selinuxLevel). */
  readonly newSelinuxLevel: () => string | undefined
  /** Kills and removes the containers of a pod. */
  readonly containers: PodContainers
  readonly plugins: Plugins
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
}

/** The control group that a pod's pause process has to itself. */
export interface PauseCgroup {
  /** One directory per hierarchy. Errors: `invalid-argument` for a cgroup parent that cannot be one. */
  directories(pod: Pod): readonly string[]
  /** Makes them. */
  make(pod: Pod): Promise<readonly string[]>
}

/** Limits of pod operations; all of them end, whatever hangs. */
export const podLimits = {
  /** Making a sandbox, after its caller may have left. */
  runTimeoutMs: 240_000,
  /** CNI DEL within one StopPodSandbox; after that the janitor goes on with it. */
  networkTeardownMs: 20_000,
  /** Everything else of a teardown. */
  teardownTimeoutMs: 60_000,
  hostnameBytes: 64,
} as const
