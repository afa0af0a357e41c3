import type { ProtocolVersion } from './process/outcome.ts'
import type { StreamRequest } from './request.ts'
import type { ChannelProtocol } from './websocket/channels.ts'

/** What a client and the server agree on. `name` is what the client called it; undefined: it named nothing. */
export type Agreement = { readonly name: string | undefined } & (
  | { readonly framing: 'spdy'; readonly version: ProtocolVersion }
  | { readonly framing: 'channels'; readonly version: ProtocolVersion; readonly protocol: ChannelProtocol }
)

const binary = { codec: 'binary', hasCloseSignal: false } as const
const base64 = { codec: 'base64', hasCloseSignal: false } as const

const spdyVersions = new Map<string, ProtocolVersion>([
  ['v4.channel.k8s.io', 4],
  ['v3.channel.k8s.io', 3],
  ['v2.channel.k8s.io', 2],
  ['channel.k8s.io', 1],
])

const channelVersions = new Map<string, readonly [ProtocolVersion, ChannelProtocol]>([
  ['v5.channel.k8s.io', [5, { codec: 'binary', hasCloseSignal: true }]],
  ['v4.channel.k8s.io', [4, binary]],
  ['v4.base64.channel.k8s.io', [4, base64]],
  ['v3.channel.k8s.io', [3, binary]],
  ['v3.base64.channel.k8s.io', [3, base64]],
  ['v2.channel.k8s.io', [2, binary]],
  ['v2.base64.channel.k8s.io', [2, base64]],
  ['channel.k8s.io', [1, binary]],
  ['base64.channel.k8s.io', [1, base64]],
])

const forwardProtocol = 'portforward.k8s.io'
const forwardChannels = new Map<string, ChannelProtocol>([
  ['v4.channel.k8s.io', binary],
  ['v4.base64.channel.k8s.io', base64],
])

/** SPDY inside the messages of a WebSocket. */
const tunnelPrefix = 'SPDY/3.1+'

/** Names that the server accepts in `X-Stream-Protocol-Version`. */
export function spdyProtocols(kind: StreamRequest['kind']): readonly string[] {
  return kind === 'portforward' ? [forwardProtocol] : [...spdyVersions.keys()]
}

/** Names that the server accepts in `Sec-WebSocket-Protocol`. */
export function webSocketProtocols(kind: StreamRequest['kind']): readonly string[] {
  const tunnelled = spdyProtocols(kind).map(name => tunnelPrefix + name)
  return [...(kind === 'portforward' ? forwardChannels : channelVersions).keys(), ...tunnelled]
}

/** The first name of the client's that the server knows, or undefined. */
export function agreeOnSpdy(kind: StreamRequest['kind'], offered: readonly string[]): Agreement | undefined {
  const name = offered.find(one => spdyProtocols(kind).includes(one))
  if (name === undefined) return undefined
  return { name, framing: 'spdy', version: spdyVersions.get(name) ?? 4 }
}

/** A client that offers nothing speaks the first protocol there was. */
export function agreeOnWebSocket(
  kind: StreamRequest['kind'],
  offered: readonly string[],
): Agreement | undefined {
  if (offered.length === 0) return { name: undefined, framing: 'channels', version: 1, protocol: binary }
  const name = offered.find(one => webSocketProtocols(kind).includes(one))
  if (name === undefined) return undefined
  if (name.startsWith(tunnelPrefix)) {
    const tunnelled = agreeOnSpdy(kind, [name.slice(tunnelPrefix.length)])
    return tunnelled && { ...tunnelled, name }
  }
  if (kind === 'portforward') {
    return { name, framing: 'channels', version: 4, protocol: forwardChannels.get(name) ?? binary }
  }
  const [version, protocol] = channelVersions.get(name) ?? [1, binary]
  return { name, framing: 'channels', version, protocol }
}

/** The names in a header, of which there may be several. */
export function offeredNames(values: readonly string[]): readonly string[] {
  return values.flatMap(value => value.split(',')).flatMap(name => name.trim() || [])
}
