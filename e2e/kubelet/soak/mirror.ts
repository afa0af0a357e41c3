import { inspect } from 'node:util'
import { v1 } from '#proto'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { containerState } from '../../harness/configs.ts'
import { type Cri, connect } from '../../harness/cri.ts'
import { type CriEvent, type EventReader, readEvents } from '../../harness/event-reader.ts'
import type { World } from '../../harness/world.ts'
import { until } from '../until.ts'

/** A picture of all containers that is kept up to date by events only, but for a list after each death of the daemon. */
export interface Mirror {
  /** Events so far. */
  readonly events: number
  /** Before the daemon is killed; answers where the picture was wrong. */
  pause(): Promise<readonly string[]>
  /** When the daemon is back; answers which changes the daemon has forgotten. */
  resume(): Promise<readonly string[]>
  /** The same as pause, for good. */
  close(): Promise<readonly string[]>
}

type Picture = ReadonlyMap<string, v1.ContainerState>

const settleTimeoutMs = 20_000

export async function createMirror({ scratch }: World): Promise<Mirror> {
  let cri: Cri = connect(scratch.socketPath)
  let reader: EventReader = await readEvents(cri.client)
  let atStart: Picture = await listed(cri)
  let earlier = 0
  const compare = async (): Promise<readonly string[]> => {
    try {
      await until('events and lists say the same', {
        ask: async () => differences(pictureOf(atStart, reader.events), await listed(cri)),
        accept: found => found.length === 0,
        timeoutMs: settleTimeoutMs,
      })
      return []
    } catch (err) {
      return [String(err)]
    }
  }
  const leave = async (): Promise<readonly string[]> => {
    const problems = await compare()
    earlier += reader.events.length
    const failure = await reader.close()
    cri.close()
    return failure === undefined ? problems : [...problems, `the events ended: ${inspect(failure)}`]
  }
  return {
    get events() {
      return earlier + reader.events.length
    },
    pause: leave,
    async resume() {
      const before = pictureOf(atStart, reader.events)
      cri = connect(scratch.socketPath)
      reader = await readEvents(cri.client)
      atStart = await listed(cri)
      return forgotten(before, atStart)
    },
    close: leave,
  }
}

async function listed(cri: Cri): Promise<Picture> {
  const { containers } = await cri.client.call(rpc.ListContainers, {})
  return new Map(containers.map(({ id, state }) => [id ?? '', state ?? containerState.CONTAINER_CREATED]))
}

/** What one knows who saw the list and then the events. */
function pictureOf(start: Picture, events: readonly CriEvent[]): Picture {
  const picture = new Map(start)
  for (const event of events) {
    const status = event.containersStatuses.find(({ id }) => id === event.containerId)
    if (status) picture.set(event.containerId, status.state ?? containerState.CONTAINER_CREATED)
    else picture.delete(event.containerId)
  }
  return picture
}

function differences(told: Picture, real: Picture): readonly string[] {
  const ids = new Set([...told.keys(), ...real.keys()])
  return [...ids]
    .filter(id => told.get(id) !== real.get(id))
    .map(id => `container ${id}: events say ${show(told.get(id))}, lists say ${show(real.get(id))}`)
}

/** A daemon that comes back may know of more ends, but a container neither vanishes nor lives again. */
function forgotten(before: Picture, after: Picture): readonly string[] {
  return [...before]
    .filter(([id, state]) => {
      const now = after.get(id)
      return now !== undefined && state === containerState.CONTAINER_EXITED && now !== state
    })
    .map(([id]) => `container ${id} had exited before the daemon was killed, and has not any more`)
}

function show(state: v1.ContainerState | undefined): string {
  return state === undefined ? 'nothing' : containerState[state]
}
