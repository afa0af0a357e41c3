import type { NodeActivity } from '#engine/engine'
import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'

interface Objects {
  readonly pods: ReadonlyMap<string, Pick<Pod, 'phase'>>
  readonly containers: ReadonlyMap<string, Pick<Container, 'phase'>>
}

/** What goes on in a fake engine: nothing that takes time, and a few retries. */
export function fakeActivity({ pods, containers }: Objects): NodeActivity {
  const podCount = (phase: string) => [...pods.values()].filter(pod => pod.phase === phase).length
  const containerCount = (phase: string) => [...containers.values()].filter(one => one.phase === phase).length
  return {
    pods: {
      creating: podCount('creating'),
      ready: podCount('ready'),
      stopping: podCount('stopping'),
      notready: podCount('notready'),
      removing: podCount('removing'),
    },
    containers: {
      creating: containerCount('creating'),
      created: containerCount('created'),
      starting: containerCount('starting'),
      running: containerCount('running'),
      exited: containerCount('exited'),
      removing: containerCount('removing'),
    },
    shims: containerCount('running'),
    networksToRelease: 0,
    retriesJoined: 2,
    retriesAdopted: 1,
    eventsDropped: 0,
    stages: [],
  }
}
