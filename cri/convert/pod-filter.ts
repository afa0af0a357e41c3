import type { PodFilter } from '#engine/engine'
import { v1 } from '#proto'
import { invalid, textMap } from './fields.ts'

/** All parts must match; an empty filter matches everything. */
export function toPodFilter(input: v1.PodSandboxFilter.$Properties | null | undefined): PodFilter {
  if (!input) return {}
  return {
    ...(input.id ? { id: input.id } : {}),
    ...(input.state ? { isReady: isReady(input.state.state) } : {}),
    labels: textMap(input.labelSelector),
  }
}

function isReady(state: v1.PodSandboxState | null | undefined): boolean {
  const number = state ?? v1.PodSandboxState.SANDBOX_READY
  switch (number) {
    case v1.PodSandboxState.SANDBOX_READY:
      return true
    case v1.PodSandboxState.SANDBOX_NOTREADY:
      return false
  }
  throw invalid(`filter.state is not a pod sandbox state: ${String(number)}`)
}
