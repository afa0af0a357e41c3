import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Ctx } from '#base/context'
import { messageOf, RuntimeError } from '#base/errors'
import type { SessionOperations } from '#engine/model/session'
import { failureText } from '../process/outcome.ts'
import type { ForwardRequest } from '../request.ts'

export interface ForwardInput {
  readonly sessions: SessionOperations
  readonly request: ForwardRequest
  readonly port: number
  /** The client's end; destroyed when the forwarding fails. */
  readonly data: Duplex
}

/**
 * Joins the client with a port of the pod until both directions have ended. Answers why the port cannot be reached, for
 * the error stream. A connection that breaks later resets the client's data stream and says no more: client-go gives up
 * the whole port-forward when the error stream says anything.
 */
export async function forwardConnection(ctx: Ctx, input: ForwardInput): Promise<string | undefined> {
  const { sessions, request, port, data } = input
  let target: Duplex
  try {
    if (request.ports.length > 0 && !request.ports.includes(port)) {
      throw new RuntimeError('permission-denied', `port ${port} was not asked for when the URL was made`)
    }
    target = await sessions.forward(ctx, { podId: request.podId, port })
  } catch (err) {
    ctx.log.debug({ podId: request.podId, port, err: messageOf(err) }, 'port-forward failed')
    return failureText(err)
  }
  const { signal } = ctx
  await Promise.allSettled([pipeline(data, target, { signal }), pipeline(target, data, { signal })])
  target.destroy()
  return undefined
}

/** Undefined for what is no port. */
export function parsePort(text: string): number | undefined {
  if (!/^[0-9]{1,5}$/.test(text)) return undefined
  const port = Number(text)
  return port >= 1 && port <= 0xffff ? port : undefined
}
