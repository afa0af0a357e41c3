import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node'

export function isReady(pod: V1Pod | undefined): boolean {
  const conditions = pod?.status?.conditions ?? []
  return conditions.some(condition => condition.type === 'Ready' && condition.status === 'True')
}

/** The status of a container, an init container or an ephemeral container. */
export function statusOf(pod: V1Pod | undefined, container = 'main'): V1ContainerStatus | undefined {
  const all = [
    ...(pod?.status?.containerStatuses ?? []),
    ...(pod?.status?.initContainerStatuses ?? []),
    ...(pod?.status?.ephemeralContainerStatuses ?? []),
  ]
  return all.find(({ name }) => name === container)
}

export function restarts(pod: V1Pod | undefined): number {
  const statuses = pod?.status?.containerStatuses ?? []
  return statuses.reduce((sum, status) => sum + status.restartCount, 0)
}

/** Whether a container of the pod that had run came to an end; a start that failed is none. */
export function hasLostRunning(pod: V1Pod): boolean {
  const ends = (pod.status?.containerStatuses ?? []).map(status => status.lastState?.terminated)
  return ends.some(end => end !== undefined && end.reason !== 'StartError')
}
