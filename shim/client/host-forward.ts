import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { abortError, type Ctx } from '#base/context'
import { messageOf, RuntimeError } from '#base/errors'
import type { PortForward } from './host.ts'
import type { Ask } from './lighter-host.ts'
import { type FieldValue, frameTypes, tags } from './protocol.ts'

/** For both addresses of localhost together; less than FORWARD_CONNECT_MAX_MS of forward.h. */
const connectTimeoutMs = 5_000

/** Asks for the connection and takes it over, so that it ends with its caller also when that has left meanwhile. */
export async function forward(ask: Ask, ctx: Ctx, input: PortForward): Promise<Socket> {
  const fields: (readonly [tag: number, value: FieldValue])[] = [
    [tags.path, input.socketPath],
    [tags.port, input.port],
    [tags.timeoutMs, connectTimeoutMs],
  ]
  if (input.networkPath !== undefined) fields.push([tags.source, input.networkPath])
  await ask(ctx, {
    type: frameTypes.forward,
    fields,
    what: `the connection to port ${input.port}`,
    kinds: { ECONNREFUSED: 'failed-precondition', ETIMEDOUT: 'unavailable', ENOSPC: 'resource-exhausted' },
  })
  const socket = createConnection({ path: input.socketPath, allowHalfOpen: true })
  try {
    await once(socket, 'connect')
  } catch (err) {
    throw new RuntimeError(
      'unavailable',
      `lighter-host forwards nothing at ${input.socketPath}: ${messageOf(err)}`,
      {
        cause: err,
      },
    )
  }
  if (!ctx.signal.aborted) return socket
  socket.destroy()
  throw abortError(ctx.signal)
}
