import { WebSocket } from 'ws'

/** Streams of a remote command or a forwarded port, as channels of a WebSocket. */
export interface Channels {
  /** Sends to channel 0: standard input, or the first port. */
  send(data: string | Buffer): void
  /** Ends standard input; the others go on (v5 only). */
  endInput(): void
  /** All that has come on a channel, as text. */
  text(channel: number): string
  /** Resolves when the server has closed it. */
  readonly closed: Promise<void>
  close(): void
}

const openTimeoutMs = 20_000

/** Connects to a server whose certificate nobody knows. The caller closes it. */
export async function openChannels(url: string, protocol: string): Promise<Channels> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), [protocol], {
    rejectUnauthorized: false,
    handshakeTimeout: openTimeoutMs,
  })
  const received = new Map<number, Buffer[]>()
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1
    received.set(channel, [...(received.get(channel) ?? []), data.subarray(1)])
  })
  const closed = new Promise<void>(resolve => {
    socket.on('close', () => {
      resolve()
    })
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => undefined)
  return {
    send(data) {
      socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(data)]))
    },
    endInput() {
      socket.send(Buffer.from([closeChannel, 0]))
    },
    text: channel => Buffer.concat(received.get(channel) ?? []).toString(),
    closed,
    close() {
      socket.close()
    },
  }
}

/** Channel of v5 whose messages name the channel that is at its end. */
const closeChannel = 255
