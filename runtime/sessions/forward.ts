import { join } from 'node:path'
import { isKind, kindOf, messageOf, RuntimeError } from '#base/errors'
import type { Ids } from '#base/ids'
import type { Host } from '#shim/host'
import type { Pod } from '../model/pod.ts'
import type { SessionOperations } from '../model/session.ts'
import type { Paths } from '../state/paths.ts'
import type { Table } from '../state/table.ts'

export interface ForwardDeps {
  readonly pods: Table<Pod>
  readonly host: Pick<Host, 'forward'>
  readonly paths: Pick<Paths, 'pod' | 'forwards'>
  readonly ids: Pick<Ids, 'token'>
}

const lastPort = 65_535

/** Connects to a port of localhost as the processes of the pod see it. The connection ends with the context. */
export function createForward(deps: ForwardDeps): SessionOperations['forward'] {
  return async (ctx, { podId, port }) => {
    const pod = deps.pods.resolve(podId)
    if (pod.phase !== 'ready') {
      throw new RuntimeError('failed-precondition', `pod sandbox "${pod.id}" is ${pod.phase}, not ready`)
    }
    if (!Number.isInteger(port) || port < 1 || port > lastPort) {
      throw new RuntimeError('invalid-argument', `${port} is not a port: want 1 to ${lastPort}`)
    }
    const hasOwnNetwork = pod.config.namespaces.network === 'pod'
    try {
      const connection = await deps.host.forward(ctx, {
        networkPath: hasOwnNetwork ? deps.paths.pod(pod.id).network : undefined,
        port,
        socketPath: join(deps.paths.forwards, deps.ids.token()),
      })
      const close = (): void => {
        connection.destroy()
      }
      ctx.signal.addEventListener('abort', close, { once: true })
      connection.once('close', () => {
        ctx.signal.removeEventListener('abort', close)
      })
      return connection
    } catch (err) {
      // The pod was there: what is not found is its network, because it is being stopped.
      const kind = isKind(err, 'not-found') ? 'failed-precondition' : kindOf(err)
      const message = `cannot forward to port ${port} of pod sandbox "${pod.id}": ${messageOf(err)}`
      throw new RuntimeError(kind, message, { cause: err })
    }
  }
}
