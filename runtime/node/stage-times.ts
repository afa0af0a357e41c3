import type { Container } from '../model/container.ts'
import type { EngineObserver, ObservedObject } from '../model/observer.ts'
import type { Pod } from '../model/pod.ts'
import type { Change, Table, TableObject } from '../state/table.ts'

/** How long objects have been in the stage that they are in. */
export interface StageTimes {
  /** 0 for one that is in none. */
  ageMs(id: string): number
}

export interface StageTimesDeps {
  readonly pods: Table<Pod>
  readonly containers: Table<Container>
  readonly observer: Pick<EngineObserver, 'stageLeft' | 'containerExited'>
  /** A clock that nobody sets, such as performance.now. */
  readonly nowMs: () => number
}

/** Follows both tables, and tells the observer of every stage that ends and of every container that does. */
export function createStageTimes({ pods, containers, observer, nowMs }: StageTimesDeps): StageTimes {
  const beginnings = new Map<string, number>()

  function follow(object: ObservedObject, { before, after }: Change<TableObject>): void {
    const stage = before?.stage ?? ''
    const next = after?.stage ?? ''
    const id = after?.id ?? before?.id
    if (stage === next || id === undefined) return
    const beganMs = beginnings.get(id)
    if (stage !== '' && beganMs !== undefined) {
      observer.stageLeft({ object, stage, ms: nowMs() - beganMs })
    }
    if (next === '') beginnings.delete(id)
    else beginnings.set(id, nowMs())
  }

  pods.observe(change => {
    follow('pod', change)
  })
  containers.observe(change => {
    follow('container', change)
    const { before, after } = change
    if (before && before.phase !== 'exited' && after?.phase === 'exited') {
      observer.containerExited(after.exit?.reason ?? 'Unknown')
    }
  })
  return {
    ageMs(id) {
      const beganMs = beginnings.get(id)
      return beganMs === undefined ? 0 : nowMs() - beganMs
    },
  }
}
