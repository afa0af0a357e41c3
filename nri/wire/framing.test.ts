import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { isKind, RuntimeError } from '#base/errors'
import { createMuxReader, encodePieces } from './mux.ts'
import { createFrameReader, encodeFrame, type Frame, ttrpcLimits } from './ttrpc-frame.ts'

/** Bytes cut at the places, as a socket may deliver them. */
function cut(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const ends = [...places.map(place => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

const frames = fc.record({
  streamId: fc.nat(),
  type: fc.integer({ min: 0, max: 255 }),
  payload: fc.uint8Array({ maxLength: 10_000 }),
})

test('messages of two connections arrive whole and in order, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ connection: fc.constantFrom(1, 2), frame: frames }), { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (sent, places) => {
        const bytes = Buffer.concat(
          sent.flatMap(({ connection, frame }) => [...encodePieces(connection, encodeFrame(frame))]),
        )
        const arrived = new Map<number, Frame[]>([
          [1, []],
          [2, []],
        ])
        const readers = new Map(
          [...arrived].map(([connection, list]) => [
            connection,
            createFrameReader(frame => list.push(frame)),
          ]),
        )
        const read = createMuxReader((connection, part) => readers.get(connection)?.(part))
        for (const chunk of cut(bytes, places)) read(chunk)
        for (const connection of [1, 2]) {
          const wanted = sent.filter(one => one.connection === connection).map(one => one.frame)
          const got = (arrived.get(connection) ?? []).map(frame => ({
            ...frame,
            payload: Uint8Array.from(frame.payload),
          }))
          assert.deepEqual(
            got,
            wanted.map(frame => ({ ...frame, payload: Uint8Array.from(frame.payload) })),
          )
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('a Go plugin can take every piece: 4096 bytes, or exactly the rest of its message', () => {
  for (const size of [0, 1, 4085, 4086, 4087, 8192, 8182, 1_000_000, ttrpcLimits.messageBytes]) {
    const message = encodeFrame({ streamId: 1, type: 1, payload: new Uint8Array(size) })
    const pieces = encodePieces(1, message).filter((_, index) => index % 2 === 1)
    assert.equal(pieces.length, message.length > 4096 ? 2 : 1, `${size} bytes`)
    assert.equal(pieces[0]?.length, Math.min(message.length, 4096))
    assert.ok(Buffer.concat(pieces).equals(message))
  }
})

test('garbage is either taken as messages or refused, and memory stays bounded', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), chunks => {
      const onFrame = createFrameReader(() => undefined)
      const read = createMuxReader((_, bytes) => {
        onFrame(bytes)
      })
      try {
        for (const chunk of chunks) read(Buffer.from(chunk))
      } catch (err) {
        assert.ok(isKind(err, 'invalid-argument'), String(err))
      }
    }),
    { numRuns: 500 },
  )
})

test('what is too large is refused before it is read', () => {
  const header = Buffer.alloc(10)
  header.writeUInt32BE(ttrpcLimits.messageBytes + 1, 0)
  const refused = (err: unknown): boolean => err instanceof RuntimeError && err.kind === 'invalid-argument'
  assert.throws(() => {
    createFrameReader(() => undefined)(header)
  }, refused)
  const piece = Buffer.alloc(8)
  piece.writeUInt32BE(1, 0)
  piece.writeUInt32BE(ttrpcLimits.messageBytes + 11, 4)
  assert.throws(() => {
    createMuxReader(() => undefined)(piece)
  }, refused)
  const payload = new Uint8Array(ttrpcLimits.messageBytes + 1)
  assert.throws(
    () => encodeFrame({ streamId: 1, type: 1, payload }),
    err => isKind(err, 'resource-exhausted'),
  )
})
