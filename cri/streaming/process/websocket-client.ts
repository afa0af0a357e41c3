import type { WebSocket } from 'ws'
import type { Log } from '#base/log'
import { aborted } from '../aborted.ts'
import type { ProcessRequest } from '../request.ts'
import { type ChannelProtocol, openWebSocketChannels } from '../websocket/channels.ts'
import { encodeOutcome, type Outcome, type ProtocolVersion } from './outcome.ts'
import type { ProcessClient } from './process-client.ts'

/** Numbers of the channels; the first three are those of the file descriptors. */
const channelNumber = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const

export interface WebSocketProcessInput {
  readonly socket: WebSocket
  readonly request: ProcessRequest
  readonly version: ProtocolVersion
  readonly protocol: ChannelProtocol
  readonly log: Log
}

/** A client that speaks one of the channel protocols: its channels are there at once. */
export function acceptWebSocketProcess(input: WebSocketProcessInput): ProcessClient {
  const { socket, request, version, protocol, log } = input
  const { hasStdin, hasStdout, hasStderr, hasTty } = request
  const connection = openWebSocketChannels({ socket, protocol, log, count: 5 })
  const channelIf = (isWanted: boolean, name: keyof typeof channelNumber) =>
    isWanted ? connection.channel(channelNumber[name]) : undefined
  const stdout = channelIf(hasStdout, 'stdout')
  const stderr = channelIf(hasStderr, 'stderr')
  const error = connection.channel(channelNumber.error)
  // Tells the client that the connection is good before there is any output.
  const first = stdout ?? stderr ?? error
  first.write(Buffer.alloc(0))
  return {
    stdin: channelIf(hasStdin, 'stdin'),
    stdout,
    stderr,
    resize: channelIf(hasTty, 'resize'),
    gone: connection.gone,
    async finish(outcome: Outcome) {
      const status = encodeOutcome(outcome, version)
      const sent = new Promise<void>(resolve => {
        error.write(status, () => {
          resolve()
        })
      })
      await Promise.race([sent, aborted(connection.gone)])
      await connection.finish()
    },
  }
}
