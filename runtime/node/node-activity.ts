import type { Supervisor } from '../containers/supervisor.ts'
import type { NodeActivity, ObjectStage } from '../engine.ts'
import type { Journal } from '../events/journal.ts'
import type { Container, ContainerPhase } from '../model/container.ts'
import type { ObservedObject } from '../model/observer.ts'
import type { Pod, PodPhase } from '../model/pod.ts'
import type { MakeOnceCounts } from '../state/make-once.ts'
import type { Table, TableObject } from '../state/table.ts'
import type { StageTimes } from './stage-times.ts'

export interface ActivityDeps {
  readonly pods: Table<Pod>
  readonly containers: Table<Container>
  /** Of everything that is made once. */
  readonly retries: readonly MakeOnceCounts[]
  readonly journal: Pick<Journal, 'dropped'>
  readonly stageTimes: StageTimes
  readonly supervisor: Pick<Supervisor, 'watching'>
  readonly janitor: { pending(): readonly string[] }
}

/** What goes on in this moment, and what has been counted since the start. */
export function nodeActivity(deps: ActivityDeps): NodeActivity {
  const { retries, stageTimes } = deps
  const [pods, containers] = [deps.pods.all(), deps.containers.all()]
  return {
    pods: countPods(pods),
    containers: countContainers(containers),
    shims: deps.supervisor.watching,
    networksToRelease: deps.janitor.pending().length,
    retriesJoined: retries.reduce((sum, { joined }) => sum + joined, 0),
    retriesAdopted: retries.reduce((sum, { adopted }) => sum + adopted, 0),
    eventsDropped: deps.journal.dropped,
    stages: [...stagesOf('pod', pods, stageTimes), ...stagesOf('container', containers, stageTimes)],
  }
}

function countPods(pods: readonly Pod[]): NodeActivity['pods'] {
  const counts: Record<PodPhase, number> = { creating: 0, ready: 0, stopping: 0, notready: 0, removing: 0 }
  for (const { phase } of pods) counts[phase]++
  return counts
}

function countContainers(containers: readonly Container[]): NodeActivity['containers'] {
  const counts: Record<ContainerPhase, number> = {
    creating: 0,
    created: 0,
    starting: 0,
    running: 0,
    exited: 0,
    removing: 0,
  }
  for (const { phase } of containers) counts[phase]++
  return counts
}

function stagesOf(
  object: ObservedObject,
  objects: readonly (TableObject & { readonly phase: string })[],
  stageTimes: StageTimes,
): readonly ObjectStage[] {
  return objects
    .filter(({ stage }) => stage !== '')
    .map(({ id, phase, stage }) => ({ object, id, phase, stage, ageMs: stageTimes.ageMs(id) }))
}
