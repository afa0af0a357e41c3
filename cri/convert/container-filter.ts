import type { ContainerFilter } from '#engine/engine'
import type { Container } from '#engine/model/container'
import { v1 } from '#proto'
import { invalid, textMap } from './fields.ts'

/** All parts must match; an empty filter matches everything. */
export function toContainerFilter(input: v1.ContainerFilter.$Properties | null | undefined): ContainerFilter {
  if (!input) return {}
  return {
    ...toStatsFilter(input),
    ...(input.state ? { phases: phasesOf(input.state.state) } : {}),
  }
}

export function toStatsFilter(
  input: v1.ContainerStatsFilter.$Properties | null | undefined,
): ContainerFilter {
  if (!input) return {}
  return {
    ...(input.id ? { id: input.id } : {}),
    ...(input.podSandboxId ? { podId: input.podSandboxId } : {}),
    labels: textMap(input.labelSelector),
  }
}

/** The inverse of fromContainerPhase; no container is ever UNKNOWN. */
function phasesOf(state: v1.ContainerState | null | undefined): readonly Container['phase'][] {
  const number = state ?? v1.ContainerState.CONTAINER_CREATED
  switch (number) {
    case v1.ContainerState.CONTAINER_CREATED:
      return ['creating', 'created', 'starting']
    case v1.ContainerState.CONTAINER_RUNNING:
      return ['running']
    case v1.ContainerState.CONTAINER_EXITED:
      return ['exited', 'removing']
    case v1.ContainerState.CONTAINER_UNKNOWN:
      return []
  }
  throw invalid(`filter.state is not a container state: ${String(number)}`)
}
