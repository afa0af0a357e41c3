import type { HostFacts } from '../../host/host-facts.ts'
import type { ProcessSpec, RlimitSpec } from './types.ts'

/**
 * The process with what this daemon may give it: without CAP_SYS_RESOURCE a hard resource limit cannot be above the
 * daemon's own, nor an OOM score below it, and the OCI runtime would fail. For what plugins and devices changed.
 */
export function withinOwnLimits(
  process: ProcessSpec,
  facts: Pick<HostFacts, 'oomScore' | 'hardLimits'>,
): ProcessSpec {
  const { oomScoreAdj, rlimits } = process
  const { canLower, own } = facts.oomScore
  if (canLower) return process
  return {
    ...process,
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj: Math.max(oomScoreAdj, own) }),
    ...(rlimits
      ? { rlimits: rlimits.map(limit => withinHard(limit, facts.hardLimits.get(limit.type))) }
      : {}),
  }
}

function withinHard(limit: RlimitSpec, own: number | undefined): RlimitSpec {
  if (own === undefined) return limit
  return { ...limit, hard: Math.min(limit.hard, own), soft: Math.min(limit.soft, own) }
}
