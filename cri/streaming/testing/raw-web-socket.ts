import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { request } from './streaming-fixture.ts'

/**
 * The bytes of binary messages, both ways, over a WebSocket of our own (RFC 6455): the client of ws refuses to offer
 * subprotocols with a "/" in them.
 */
export async function openRawWebSocket(url: string, protocol: string): Promise<Duplex> {
  const key = randomBytes(16).toString('base64')
  const { socket, head } = await request(
    url,
    `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n` +
      `Sec-WebSocket-Protocol: ${protocol}\r\n`,
    { method: 'GET' },
  )
  if (!head.includes(`\r\nSec-WebSocket-Protocol: ${protocol}`)) throw new Error(head)
  const duplex = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      socket.write(binaryMessage(chunk), () => {
        done()
      })
    },
    destroy(err, done) {
      socket.destroy()
      done(err)
    },
  })
  receiveMessages(socket, duplex)
  return duplex
}

/** A mask of zeros is one, too. */
function binaryMessage(payload: Buffer): Buffer {
  const head = Buffer.alloc(14)
  head.writeUInt8(0x82, 0)
  head.writeUInt8(0x80 + 127, 1)
  head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

function receiveMessages(socket: Socket, duplex: Duplex): void {
  let pending = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (let size = frameSize(pending); size && pending.length >= size.total; size = frameSize(pending)) {
      const opcode = pending.readUInt8(0) & 15
      const payload = pending.subarray(size.total - size.payload, size.total)
      if (opcode === 8) duplex.push(null)
      else if (opcode <= 2 && payload.length > 0) duplex.push(payload)
      pending = pending.subarray(size.total)
    }
  })
  socket.on('close', () => duplex.destroy())
  socket.on('error', () => undefined)
  socket.resume()
}

function frameSize(bytes: Buffer): { readonly payload: number; readonly total: number } | undefined {
  if (bytes.length < 2) return undefined
  const short = bytes.readUInt8(1) & 127
  if (short < 126) return { payload: short, total: 2 + short }
  const lengthBytes = short === 126 ? 2 : 8
  if (bytes.length < 2 + lengthBytes) return undefined
  const payload = short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  return { payload, total: 2 + lengthBytes + payload }
}
