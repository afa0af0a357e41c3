import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { headerValues, type Refusal, refuse } from './http-answer.ts'
import { streamingLimits } from './limits.ts'
import {
  type Agreement,
  agreeOnSpdy,
  agreeOnWebSocket,
  offeredNames,
  spdyProtocols,
  webSocketProtocols,
} from './protocols.ts'
import type { StreamRequest } from './request.ts'
import type { Tokens } from './tokens.ts'

/** A request that became a connection. */
export type Upgraded = { readonly request: StreamRequest; readonly agreement: Agreement } & (
  | { readonly transport: Duplex }
  | { readonly socket: WebSocket }
)

export interface UpgradeInput {
  readonly message: IncomingMessage
  readonly socket: Duplex
  /** What came after the request already. */
  readonly head: Buffer
  readonly tokens: Tokens
}

/** Answers an upgrade request. Undefined: it was refused, and its URL can still be used. */
export async function upgrade({
  message,
  socket,
  head,
  tokens,
}: UpgradeInput): Promise<Upgraded | undefined> {
  const found = findRequest(message, tokens)
  if ('status' in found) {
    refuse(socket, found)
    return undefined
  }
  const { request, token } = found
  const protocol = message.headers.upgrade?.toLowerCase()
  if (protocol !== 'spdy/3.1' && protocol !== 'websocket') {
    refuse(socket, { status: 400, message: 'the Upgrade header is neither SPDY/3.1 nor websocket' })
    return undefined
  }
  const agreement = protocol === 'websocket' ? agreeWebSocket(message, request) : agreeSpdy(message, request)
  if ('status' in agreement) {
    refuse(socket, agreement)
    return undefined
  }
  if (protocol === 'websocket') {
    const opened = await openWebSocket({ message, socket, head }, agreement, () => tokens.take(token))
    return opened && { request, agreement, socket: opened }
  }
  tokens.take(token)
  const name = agreement.name ?? ''
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
      `X-Stream-Protocol-Version: ${name}\r\n\r\n`,
  )
  if (head.length > 0) socket.unshift(head)
  return { request, agreement, transport: socket }
}

/** What `/KIND/TOKEN` stands for. */
export function findRequest(
  { url = '', method = '' }: IncomingMessage,
  tokens: Tokens,
): { readonly request: StreamRequest; readonly token: string } | Refusal {
  const [, kind, token = ''] = /^\/(exec|attach|portforward)\/([\w-]+)(?:\?.*)?$/.exec(url) ?? []
  const request = tokens.find(token)
  if (!request || request.kind !== kind) {
    return {
      status: 404,
      message:
        'there is no such streaming URL: it was used, or is older than a minute; ask the runtime for a new one',
    }
  }
  if (method !== 'GET' && method !== 'POST')
    return { status: 405, message: 'only GET and POST', headers: { Allow: 'GET, POST' } }
  return { request, token }
}

function agreeSpdy(message: IncomingMessage, request: StreamRequest): Agreement | Refusal {
  const offered = offeredNames(headerValues(message, 'x-stream-protocol-version'))
  if (offered.length === 0) return { status: 400, message: 'the header X-Stream-Protocol-Version is missing' }
  const accepted = spdyProtocols(request.kind)
  return (
    agreeOnSpdy(request.kind, offered) ?? noCommonProtocol(accepted, 'X-Accepted-Stream-Protocol-Versions')
  )
}

function agreeWebSocket(message: IncomingMessage, request: StreamRequest): Agreement | Refusal {
  const offered = offeredNames(headerValues(message, 'sec-websocket-protocol'))
  const accepted = webSocketProtocols(request.kind)
  const agreement = agreeOnWebSocket(request.kind, offered)
  if (!agreement) return noCommonProtocol(accepted, 'X-Accepted-Stream-Protocol-Versions')
  if (request.kind === 'portforward' && agreement.framing === 'channels') {
    const { length } = request.ports
    if (length === 0)
      return { status: 400, message: 'the channel protocols need the ports in the PortForward request' }
    if (length > streamingLimits.channelPorts) {
      return { status: 400, message: `${length} ports do not fit: at most ${streamingLimits.channelPorts}` }
    }
  }
  return agreement
}

function noCommonProtocol(accepted: readonly string[], header: string): Refusal {
  const list = accepted.join(', ')
  return {
    status: 403,
    message: `none of the offered protocols is known: the server accepts ${list}`,
    headers: { [header]: list },
  }
}

/** Undefined when the handshake is not one; it is answered then. */
function openWebSocket(
  { message, socket, head }: Pick<UpgradeInput, 'message' | 'socket' | 'head'>,
  { name }: Agreement,
  onOpened: () => void,
): Promise<WebSocket | undefined> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: streamingLimits.messageBytes,
  })
  // Chosen already, and not by ws: "SPDY/3.1+portforward.k8s.io" is no token of HTTP, which ws insists on.
  delete message.headers['sec-websocket-protocol']
  server.on('headers', headers => {
    if (name !== undefined) headers.push(`Sec-WebSocket-Protocol: ${name}`)
  })
  return new Promise(resolve => {
    socket.once('close', () => {
      resolve(undefined)
    })
    server.handleUpgrade(message, socket, head, opened => {
      onOpened()
      resolve(opened)
    })
  })
}
