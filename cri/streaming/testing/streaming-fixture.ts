import { connect as connectSocket, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'
import { defaultConfig, type StreamingConfig } from '../../config/defaults.ts'
import { createRecordingLog, type RecordingLog } from '../../testing/door-fixture.ts'
import { type FakeSessions, fakeSessions } from '../../testing/fake-sessions.ts'
import type { ForwardRequest, ProcessRequest, StreamRequest } from '../request.ts'
import { openStreamingServer, type StreamingServer } from '../server.ts'
import { createSpdyPeer, type SpdyPeer } from './spdy-peer.ts'

export interface StreamingFixture {
  readonly server: StreamingServer
  readonly sessions: FakeSessions
  readonly log: RecordingLog
  /** A SPDY client at a URL, upgraded, without streams. */
  spdy(url: string, protocols: readonly string[]): Promise<SpdyPeer>
  /** A WebSocket client that is open. */
  webSocket(url: string, protocols?: readonly string[]): Promise<WebSocketPeer>
}

/** A real server before sessions in memory; all is closed when the test ends. */
export async function openTestStreaming(
  t: TestContext,
  overrides: Partial<StreamingConfig> = {},
): Promise<StreamingFixture> {
  const sessions = fakeSessions()
  const log = createRecordingLog()
  const config = { ...defaultConfig.streaming, ...overrides }
  const server = await openStreamingServer({ config, sessions: () => sessions, log })
  t.after(() => server.stop())
  return {
    server,
    sessions,
    log,
    async spdy(url, protocols) {
      const headers = protocols.map(name => `X-Stream-Protocol-Version: ${name}\r\n`).join('')
      const { socket, head } = await request(url, `Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${headers}`)
      t.after(() => socket.destroy())
      if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(head)
      return createSpdyPeer(socket)
    },
    async webSocket(url, protocols = []) {
      const peer = createWebSocketPeer(new WebSocket(url, [...protocols], { perMessageDeflate: false }))
      t.after(() => {
        peer.socket.terminate()
      })
      await peer.opened
      return peer
    },
  }
}

/** What tests ask for unless they say otherwise. */
export function execRequest(
  command: readonly string[],
  overrides: Partial<ProcessRequest> = {},
): StreamRequest {
  const streams = { hasTty: false, hasStdin: false, hasStdout: true, hasStderr: true }
  const request = { kind: 'exec', command, containerId: 'c1', ...streams } as const
  return { ...request, ...overrides, kind: 'exec', command }
}

export function forwardRequest(...ports: readonly number[]): ForwardRequest {
  return { kind: 'portforward', podId: 'p1', ports }
}

/** Sends a request as text, and answers the head of the response with the socket behind it. */
export async function request(
  url: string,
  headers: string,
  options: { readonly method?: string; readonly tls?: ConnectionOptions } = {},
): Promise<{ readonly socket: Socket; readonly head: string }> {
  const { hostname, port, pathname, search } = new URL(url)
  const socket = options.tls
    ? connectTls({ host: hostname, port: Number(port), ...options.tls })
    : connectSocket(Number(port), hostname)
  socket.write(
    `${options.method ?? 'POST'} ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\n${headers}\r\n`,
  )
  let bytes = Buffer.alloc(0)
  const head = await new Promise<string>((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', onData)
      socket.pause()
      if (bytes.length > end + 4) socket.unshift(bytes.subarray(end + 4))
      resolve(bytes.subarray(0, end).toString())
    }
    socket.on('data', onData)
    socket.once('error', reject)
    socket.once('end', () => {
      reject(new Error(`the server closed the connection after "${bytes.toString()}"`))
    })
  })
  return { socket, head }
}

export interface WebSocketPeer {
  readonly socket: WebSocket
  readonly opened: Promise<void>
  /** Messages in order; text messages as text. */
  readonly messages: (Buffer | string)[]
  readonly closed: Promise<{ readonly code: number }>
  /** Waits until the messages are what the test wants. */
  until(isEnough: (messages: readonly (Buffer | string)[]) => boolean): Promise<void>
  /** Bytes of a channel so far, of binary messages. */
  channel(number: number): Buffer
}

function createWebSocketPeer(socket: WebSocket): WebSocketPeer {
  const messages: (Buffer | string)[] = []
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  socket.on('message', (data: Buffer, isBinary) => {
    messages.push(isBinary ? data : data.toString())
    wake()
  })
  const closed = new Promise<{ readonly code: number }>(resolve => {
    socket.once('close', code => {
      resolve({ code })
      wake()
    })
  })
  const opened = new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('error', reject)
  })
  return {
    ...{ socket, opened, messages, closed },
    until: isEnough =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (isEnough(messages)) resolve()
          else if (socket.readyState === WebSocket.CLOSED)
            reject(new Error('closed before the messages came'))
          else return
          waiting.delete(look)
        }
        waiting.add(look)
        look()
      }),
    channel: number =>
      Buffer.concat(
        messages
          .filter(one => Buffer.isBuffer(one))
          .flatMap(one => (one[0] === number ? one.subarray(1) : [])),
      ),
  }
}

/** Settles when a condition that nothing announces is true. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  for (const startMs = performance.now(); !isTrue(); ) {
    if (performance.now() - startMs > eventuallyMs) throw new Error('it has not become true')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

const eventuallyMs = 20_000
