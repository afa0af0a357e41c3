import { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import { streamingLimits } from '../limits.ts'

/** How channels share the messages of a WebSocket: the first byte, or character, of each message names its channel. */
export interface ChannelProtocol {
  /** base64: text messages, the channel as a digit. */
  readonly codec: 'binary' | 'base64'
  /** A message 255, N is the end of what the client sends on channel N (version 5). */
  readonly hasCloseSignal: boolean
}

export interface WebSocketChannels {
  readonly gone: AbortSignal
  /** What the client sends on the channel, and what it is sent. Ending it sends nothing: there is no sign for that. */
  channel(number: number): Duplex
  /** Closes normally after what is written; settles when the connection is closed. */
  finish(): Promise<void>
}

export interface WebSocketChannelsInput {
  readonly socket: WebSocket
  readonly protocol: ChannelProtocol
  readonly count: number
  readonly log: Log
}

const closeSignal = 255

export function openWebSocketChannels(input: WebSocketChannelsInput): WebSocketChannels {
  const { socket, protocol, count, log } = input
  const gone = new AbortController()
  const flow = createFlow(socket)
  const ended = new WeakSet<Duplex>()
  let isFinishing = false
  const channels = Array.from({ length: count }, (_, number) =>
    openChannel({ socket, protocol, flow, number }),
  )

  socket.on('message', (data: Buffer) => {
    if (isFinishing || data.length === 0) return
    if (protocol.hasCloseSignal && data[0] === closeSignal) {
      endChannel(data)
      return
    }
    const number = (data[0] ?? 0) - (protocol.codec === 'base64' ? zeroDigit : 0)
    const channel = channels[number]
    const payload = decode(data.subarray(1), protocol)
    // An empty message opens a channel, and what names none is ignored, as the peers do.
    if (!channel || channel.destroyed || ended.has(channel) || payload.length === 0) return
    if (!channel.push(payload)) flow.pause(number)
  })

  function endChannel(data: Buffer): void {
    const channel = channels[data[1] ?? count]
    if (data.length !== 2 || !channel) socket.close(1002, 'not a channel')
    else if (!ended.has(channel)) {
      ended.add(channel)
      channel.push(null)
    }
  }

  socket.on('error', err => {
    log.debug({ err: messageOf(err) }, 'streaming connection failed')
  })
  const closed = new Promise<void>(resolve => {
    socket.once('close', resolve)
  }).then(() => {
    flow.close()
    gone.abort()
    for (const channel of channels) channel.destroy(new RuntimeError('cancelled', 'the client is gone'))
  })
  return {
    gone: gone.signal,
    channel(number) {
      const channel = channels[number]
      if (!channel) throw new RuntimeError('internal', `there is no channel ${number}`)
      return channel
    },
    async finish() {
      isFinishing = true
      flow.close()
      socket.close(1000)
      const linger = setTimeout(() => {
        socket.terminate()
      }, streamingLimits.lingerMs)
      await closed
      clearTimeout(linger)
    },
  }
}

const zeroDigit = 48

interface ChannelInput {
  readonly socket: WebSocket
  readonly protocol: ChannelProtocol
  readonly flow: Flow
  readonly number: number
}

function openChannel({ socket, protocol, flow, number }: ChannelInput): Duplex {
  const channel = new Duplex({
    readableHighWaterMark: streamingLimits.queuedBytes,
    read() {
      flow.resume(number)
    },
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState === WebSocket.OPEN) socket.send(encode(number, chunk, protocol), done)
      else done(new RuntimeError('cancelled', 'the client is gone'))
    },
    destroy(err, done) {
      flow.resume(number)
      done(err)
    },
  })
  // Who uses the channel hears of its errors; nobody has to.
  channel.on('error', () => undefined)
  return channel
}

/** Reads from the socket while no channel is full. */
interface Flow {
  pause(channel: number): void
  resume(channel: number): void
  /** Reads on, come what may. */
  close(): void
}

function createFlow(socket: WebSocket): Flow {
  const full = new Set<number>()
  let probe: NodeJS.Timeout | undefined
  let isClosed = false
  const resume = () => {
    clearInterval(probe)
    probe = undefined
    if (socket.isPaused) socket.resume()
  }
  return {
    pause(channel) {
      if (isClosed) return
      full.add(channel)
      socket.pause()
      // While nothing is received, not even the end of the client, writing is what finds that out.
      probe ??= setInterval(() => {
        if (socket.readyState === WebSocket.OPEN) socket.ping()
      }, streamingLimits.probeMs)
    },
    resume(channel) {
      if (full.delete(channel) && full.size === 0) resume()
    },
    close() {
      isClosed = true
      full.clear()
      resume()
    },
  }
}

/** Empty for what is no base64. */
function decode(payload: Buffer, { codec }: ChannelProtocol): Buffer {
  if (codec === 'binary') return payload
  const text = payload.toString('latin1')
  return Buffer.from(/^[A-Za-z0-9+/]*={0,2}$/.test(text) ? text : '', 'base64')
}

function encode(number: number, payload: Buffer, { codec }: ChannelProtocol): Buffer | string {
  if (codec === 'binary') return Buffer.concat([Buffer.of(number), payload])
  return String.fromCharCode(zeroDigit + number) + payload.toString('base64')
}
