import { RuntimeError } from '#base/errors'
import type { Container } from '#engine/model/container'
import type { ContainerEvent, EventOperations } from '#engine/model/event'
import type { Pod } from '#engine/model/pod'

/** Events as a test tells them, and snapshots of what the fake engine holds. */
export interface FakeEvents {
  readonly operations: EventOperations
  /** To everybody who reads at this moment. */
  readonly tell: (event: Omit<ContainerEvent, 'timestampNs'>) => void
}

interface Objects {
  readonly pods: ReadonlyMap<string, Pod>
  readonly containers: ReadonlyMap<string, Container>
}

const startNs = 1_700_000_200_000_000_000n

export function createFakeEvents({ pods, containers }: Objects): FakeEvents {
  const readers = new Set<(event: ContainerEvent) => void>()
  let lastNs = startNs
  return {
    tell(event) {
      lastNs++
      for (const reader of readers) reader({ ...event, timestampNs: lastNs })
    },
    operations: {
      subscribe(signal) {
        const queue: ContainerEvent[] = []
        let wake: () => void = () => undefined
        const reader = (event: ContainerEvent): void => {
          queue.push(event)
          wake()
        }
        readers.add(reader)
        signal.addEventListener('abort', () => {
          readers.delete(reader)
          wake()
        })
        return {
          dropped: 0,
          async *[Symbol.asyncIterator]() {
            while (!signal.aborted) {
              const event = queue.shift()
              if (event) yield event
              else await new Promise<void>(resolve => (wake = resolve))
            }
          },
        }
      },
      snapshot(podId) {
        const pod = [...pods.values()].find(one => one.id.startsWith(podId))
        if (!pod) throw new RuntimeError('not-found', `there is no pod sandbox "${podId}"`)
        lastNs++
        return {
          pod,
          containers: [...containers.values()].filter(one => one.podId === pod.id),
          timestampNs: lastNs,
        }
      },
    },
  }
}
