import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors'
import type { Frame } from './frames.ts'
import { spdyLimits } from './limits.ts'
import { createFrameParser } from './parser.ts'

/** As Go's spdystream writes them. */
const golden: readonly (readonly [string, Frame])[] = [
  [
    '80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff',
    {
      type: 'syn-stream',
      streamId: 1,
      flags: 0,
      block: Buffer.from('78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff', 'hex'),
    },
  ],
  ['000000030100000568656c6c6f', { type: 'data', streamId: 3, data: Buffer.from('hello'), isLast: true }],
  ['0000000301000000', { type: 'data', streamId: 3, data: Buffer.alloc(0), isLast: true }],
  ['80030003000000080000000300000005', { type: 'rst-stream', streamId: 3, status: 5 }],
  ['800300060000000400000007', { type: 'ping', id: 7 }],
  ['80030007000000080000000300000000', { type: 'go-away' }],
  ['800300040000000c000000010000000700010000', { type: 'settings', initialWindowBytes: 65536 }],
  ['800300040000000c000000010000000400010000', { type: 'settings', initialWindowBytes: undefined }],
  ['80030009000000080000000300001000', { type: 'window-update', streamId: 3, deltaBytes: 4096 }],
  [
    '800300080100000c00000003c22305000000ffff',
    { type: 'headers', streamId: 3, flags: 1, block: Buffer.from('c22305000000ffff', 'hex') },
  ],
]

function parseAll(chunks: readonly Buffer[]): Frame[] {
  const parser = createFrameParser()
  return chunks.flatMap(chunk => [...parser.push(chunk)])
}

/** Pieces of data frames that belong together, as one. */
function joined(frames: readonly Frame[]): Frame[] {
  const result: Frame[] = []
  for (const frame of frames) {
    const last = result.at(-1)
    if (frame.type === 'data' && last?.type === 'data' && !last.isLast) {
      result.splice(-1, 1, { ...frame, data: Buffer.concat([last.data, frame.data]) })
    } else result.push(frame)
  }
  return result
}

for (const [hex, frame] of golden) {
  test(`the bytes ${hex.slice(0, 24)} are a frame of type ${frame.type}`, () => {
    assert.deepEqual(parseAll([Buffer.from(hex, 'hex')]), [frame])
  })
}

test('frames are the same however the bytes are cut', () => {
  const bytes = Buffer.from(golden.map(([hex]) => hex).join(''), 'hex')
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: bytes.length }), sizes => {
      const chunks: Buffer[] = []
      let at = 0
      for (const size of sizes) {
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      assert.deepEqual(
        joined(parseAll(chunks)),
        golden.map(([, frame]) => frame),
      )
    }),
    { numRuns: 50 },
  )
})

test('a large data frame comes in the pieces in which it is received', () => {
  const parser = createFrameParser()
  assert.deepEqual([...parser.push(Buffer.from('00000001' + '01ffffff', 'hex'))], [])
  const piece = Buffer.alloc(1024 * 1024)
  let received = 0
  for (let count = 0; count < 16; count++) {
    for (const frame of parser.push(count === 15 ? piece.subarray(1) : piece)) {
      if (frame.type !== 'data') assert.fail(frame.type)
      received += frame.data.length
      assert.equal(frame.isLast, count === 15)
    }
  }
  assert.equal(received, 0xffffff)
})

test('a frame of a type that is not known is skipped', () => {
  const bytes = Buffer.from('8003000a00000004deadbeef' + '800300060000000400000007', 'hex')
  assert.deepEqual(parseAll([bytes]), [{ type: 'ping', id: 7 }])
})

const broken: readonly (readonly [string, string])[] = [
  ['data of stream 0', '0000000000000001ff'],
  ['another version', '800200060000000400000007'],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex').replace(/^../, 'c7')],
  ['a control frame that is too large', '80030001' + '00ffffff'],
  ['a SYN_STREAM that is too short', '8003000100000008' + '0000000100000000'],
  ['a SYN_STREAM of stream 0', '800300010000000a' + '00000000000000000000'],
  ['a RST_STREAM without a status', '8003000300000004' + '00000001'],
  ['a PING without an id', '8003000600000000'],
  ['SETTINGS with more entries than bytes', '8003000400000004' + 'ffffffff'],
  ['SETTINGS with more bytes than entries', '8003000400000008' + '0000000000000000'],
]

for (const [name, hex] of broken) {
  test(`${name} ends the connection`, () => {
    assert.throws(
      () => parseAll([Buffer.from(hex, 'hex')]),
      (err: unknown) => isKind(err, 'invalid-argument'),
    )
  })
}

test('any bytes are frames or a protocol error, and cost no more than one control frame', () => {
  const control = fc
    .tuple(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 255 }),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, flags, payload]) =>
      Buffer.concat([Buffer.from([0x80, 3, 0, type, flags, 0, 0, payload.length]), payload]),
    )
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 64 }).map(bytes => Buffer.from(bytes)),
    control,
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), chunks => {
      const parser = createFrameParser()
      try {
        for (const chunk of chunks) {
          for (const frame of parser.push(chunk)) {
            if ('block' in frame) assert.ok(frame.block.length <= spdyLimits.controlFrameBytes)
          }
        }
      } catch (err) {
        assert.ok(isKind(err, 'invalid-argument'), String(err))
      }
    }),
    { numRuns: 500 },
  )
})
