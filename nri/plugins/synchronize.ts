import { RuntimeError } from '#base/errors'
import { api } from '#nri-proto'
import { synchronizeCall } from '../session/events.ts'
import type { PluginSession } from '../session/plugin-session.ts'
import type { Snapshot } from './subjects.ts'

/** Room is left for the rest of the message: ttrpc takes 4 MiB. */
const chunkBytes = 3 * 1024 * 1024

type Request = api.SynchronizeRequest.$Properties

/**
 * Tells a plugin everything that is there, in as many messages as it takes; all of them together within `timeoutMs`.
 * Answers what it wants changed. Errors: whatever keeps it from knowing everything.
 */
export async function synchronize(
  session: PluginSession,
  snapshot: Snapshot,
  timeoutMs: number,
): Promise<readonly api.ContainerUpdate.$Properties[]> {
  const endsAt = performance.now() + timeoutMs
  for (const request of chunks(snapshot)) {
    const answer = await session.call({
      call: synchronizeCall,
      request,
      timeoutMs: Math.max(1, endsAt - performance.now()),
    })
    if (!answer) throw new RuntimeError('unavailable', 'it was lost while it was synchronized')
    if (!request.more) return answer.update
    if (!answer.more) {
      throw new RuntimeError('failed-precondition', 'it does not take a state that needs several messages')
    }
  }
  return []
}

/** Pods come before containers. */
export function chunks({ pods, containers }: Snapshot, limitBytes: number = chunkBytes): readonly Request[] {
  const requests: { pods: api.PodSandbox.$Properties[]; containers: api.Container.$Properties[] }[] = []
  let size = Number.POSITIVE_INFINITY

  function roomFor(bytes: number): (typeof requests)[number] {
    const last = requests.at(-1)
    if (last && size + bytes <= limitBytes) {
      size += bytes
      return last
    }
    size = bytes
    const next = { pods: [], containers: [] }
    requests.push(next)
    return next
  }

  for (const pod of pods) roomFor(api.PodSandbox.encode(pod).finish().length).pods.push(pod)
  for (const container of containers) {
    roomFor(api.Container.encode(container).finish().length).containers.push(container)
  }
  if (requests.length === 0) requests.push({ pods: [], containers: [] })
  return requests.map((request, index) => ({ ...request, more: index < requests.length - 1 }))
}
