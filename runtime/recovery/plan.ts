import type { ContainerId, PodId } from '#base/ids'
import type { ShimState } from '#shim/shim'
import type { Observation, ObservedContainer, ObservedPod, Strays } from './observe.ts'

/** What has to be done so that records, kernel and shims tell one truth again. */
export type RecoveryAction =
  /** Its shim lives: watch it. Records the start if that was not recorded, or the end that the shim tells. */
  | { readonly do: 'watch container'; readonly id: ContainerId; readonly pid: number | undefined }
  /** It ended while nobody looked; undefined: even the shim is gone. */
  | { readonly do: 'record end'; readonly id: ContainerId; readonly state: ShimState | undefined }
  /** Its start was recorded, but the daemon died before the OCI runtime did anything: the retry may start it. */
  | { readonly do: 'take back start'; readonly id: ContainerId }
  | { readonly do: 'remove container'; readonly id: ContainerId }
  | { readonly do: 'stop pod'; readonly id: PodId }
  | { readonly do: 'remove pod'; readonly id: PodId }
  | { readonly do: 'sweep'; readonly strays: Strays }

/** Pure: the crash matrix. */
export function plan(observation: Observation): readonly RecoveryAction[] {
  return [
    ...observation.containers.flatMap(planContainer),
    ...observation.pods.flatMap(planPod),
    { do: 'sweep', strays: observation.strays },
  ]
}

const rebooted: ShimState = { kind: 'failed', message: 'the node was restarted before the container was' }

function planContainer(observed: ObservedContainer): readonly RecoveryAction[] {
  const { container, hasPod, state, hasShim, hasBundle } = observed
  const { id, phase } = container
  if (!hasPod) {
    const isOver = phase !== 'starting' && phase !== 'running'
    return [
      ...(isOver ? [] : [{ do: 'record end', id, state: undefined } as const]),
      { do: 'remove container', id },
    ]
  }
  switch (phase) {
    case 'creating': // nobody was told of it
    case 'removing':
      return [{ do: 'remove container', id }]
    case 'created':
      return hasBundle ? [] : [{ do: 'record end', id, state: rebooted }]
    case 'starting':
    case 'running':
      if (hasShim)
        return [{ do: 'watch container', id, pid: state?.kind === 'running' ? state.pid : undefined }]
      if (phase === 'starting' && hasNothingRun(observed)) return [{ do: 'take back start', id }]
      return [{ do: 'record end', id, state }]
    case 'exited':
      return hasShim ? [{ do: 'watch container', id, pid: undefined }] : []
  }
}

/** Neither shim nor exit file nor anything of the OCI runtime's, and the bundle is still there. */
function hasNothingRun({ state, hasShim, hasBundle, hasRuntimeState }: ObservedContainer): boolean {
  return !hasShim && state === undefined && hasBundle && !hasRuntimeState
}

function planPod({ pod, isAlive }: ObservedPod): readonly RecoveryAction[] {
  const { id, phase } = pod
  switch (phase) {
    case 'creating': // nobody was told of it
    case 'removing':
      return [{ do: 'remove pod', id }]
    case 'ready':
      return isAlive ? [] : [{ do: 'stop pod', id }]
    case 'stopping':
      return [{ do: 'stop pod', id }]
    case 'notready':
      return pod.isNetworkAttached ? [{ do: 'stop pod', id }] : []
  }
}
