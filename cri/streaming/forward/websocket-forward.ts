import { setMaxListeners } from 'node:events'
import type { WebSocket } from 'ws'
import type { Ctx } from '#base/context'
import type { SessionOperations } from '#engine/model/session'
import type { ForwardRequest } from '../request.ts'
import { type ChannelProtocol, openWebSocketChannels } from '../websocket/channels.ts'
import { forwardConnection } from './forward-connection.ts'

export interface WebSocketForwardInput {
  readonly socket: WebSocket
  readonly protocol: ChannelProtocol
  readonly sessions: SessionOperations
  readonly request: ForwardRequest
}

/**
 * Serves one connection to each requested port: channel 2 N carries data, 2 N + 1 errors, and both begin with the port
 * as 16 bits, low byte first. Closes the WebSocket when all connections have ended.
 */
export async function serveWebSocketForward(ctx: Ctx, input: WebSocketForwardInput): Promise<void> {
  const { socket, protocol, sessions, request } = input
  const { ports } = request
  const connection = openWebSocketChannels({ socket, protocol, log: ctx.log, count: 2 * ports.length })
  const signal = AbortSignal.any([ctx.signal, connection.gone])
  // Every forwarded connection listens.
  setMaxListeners(0, signal)
  await Promise.all(
    ports.map(async (port, index) => {
      const data = connection.channel(2 * index)
      const error = connection.channel(2 * index + 1)
      const portBytes = Buffer.of(port & 0xff, port >> 8)
      data.write(portBytes)
      error.write(portBytes)
      const failure = await forwardConnection({ signal, log: ctx.log }, { sessions, request, port, data })
      await new Promise<void>(resolve => {
        error.end(failure, () => {
          resolve()
        })
      })
    }),
  )
  await connection.finish()
}
