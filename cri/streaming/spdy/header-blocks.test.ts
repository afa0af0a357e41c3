import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createInflate, deflateSync, constants as zlib } from 'node:zlib'
import fc from 'fast-check'
import { isKind } from '#base/errors'
import { createHeaderEncoder } from '../testing/spdy-peer.ts'
import { headerDictionary, headerDictionaryId } from './dictionary.ts'
import { createHeaderDecoder, emptyHeaderBlock, type HeaderDecoder } from './header-blocks.ts'
import { spdyLimits } from './limits.ts'

function decoderOf(t: TestContext): HeaderDecoder['decode'] {
  const made = createHeaderDecoder()
  t.after(() => {
    made.close()
  })
  return block => made.decode(block)
}

const isProtocolError = (err: unknown) => isKind(err, 'invalid-argument')

/** Adler-32 (RFC 1950, 8.2). */
function adler32(bytes: Buffer): number {
  let low = 1
  let high = 0
  for (const byte of bytes) {
    low = (low + byte) % 65521
    high = (high + low) % 65521
  }
  return high * 65536 + low
}

test('the dictionary is the one that the protocol names', () => {
  assert.equal(headerDictionary.length, 1423)
  assert.equal(adler32(headerDictionary), headerDictionaryId)
  assert.equal(createHash('md5').update(headerDictionary).digest('hex'), dictionaryMd5)
})

const dictionaryMd5 = 'a42ed185be917b4b1a525c8f7019936c'

test('blocks of one connection as Go writes them are understood in their order', async t => {
  const decode = decoderOf(t)
  const blocks = [
    '78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff',
    'c22e555c92929907000000ffff',
    'c22305000000ffff',
  ]
  const headers = []
  for (const block of blocks) headers.push(await decode(Buffer.from(block, 'hex')))
  assert.deepEqual(headers, [
    new Map([['streamtype', 'error']]),
    new Map([['streamtype', 'stdin']]),
    new Map([['streamtype', 'stdin']]),
  ])
})

test('names come in lower case; of several values the first counts', async t => {
  const encode = createHeaderEncoder()
  const block = await encode({ streamType: 'data', port: '80\u0000443', empty: '' })
  assert.deepEqual(
    await decoderOf(t)(block),
    new Map([
      ['streamtype', 'data'],
      ['port', '80'],
      ['empty', ''],
    ]),
  )
})

test('headers come back as they were sent', async t => {
  const decode = decoderOf(t)
  const encode = createHeaderEncoder()
  const text = fc.string({ maxLength: 40 }).map(value => value.replaceAll('\0', ' '))
  const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/)
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, text, { maxKeys: 20, noNullPrototype: true }), async headers => {
      assert.deepEqual(await decode(await encode(headers)), new Map(Object.entries(headers)))
    }),
    { numRuns: 100 },
  )
})

test('the block of an answer is a zlib stream with no headers, block after block', async () => {
  const inflate = createInflate({ dictionary: headerDictionary })
  const pieces: Buffer[] = []
  inflate.on('data', (piece: Buffer) => pieces.push(piece))
  for (const isFirst of [true, false, false]) {
    await new Promise<void>(resolve => {
      inflate.write(emptyHeaderBlock(isFirst), () => {
        resolve()
      })
    })
  }
  assert.deepEqual(Buffer.concat(pieces), Buffer.alloc(12))
})

test('a block that is small and inflates to much is refused', async t => {
  const bomb = deflateSync(Buffer.alloc(64 * 1024 * 1024), { dictionary: headerDictionary })
  const block = bomb.subarray(0, spdyLimits.controlFrameBytes)
  const decode = decoderOf(t)
  await assert.rejects(decode(block), isProtocolError)
  await assert.rejects(decode(block), isProtocolError, 'a decoder that failed stays failed')
})

const raw = (hex: string) =>
  deflateSync(Buffer.from(hex, 'hex'), { dictionary: headerDictionary, finishFlush: zlib.Z_SYNC_FLUSH })

const broken: readonly (readonly [string, Buffer])[] = [
  ['no zlib stream', Buffer.from('not zlib at all')],
  ['a zlib stream with another dictionary', deflateSync(Buffer.from('x'), { dictionary: Buffer.from('y') })],
  ['nothing', Buffer.alloc(0)],
  ['a count without headers', raw('00000001')],
  ['too many headers', raw('0000ffff')],
  ['a length beyond the end', raw('0000000100ffffff61')],
  ['an empty name', raw('000000010000000000000000')],
  ['a name that is there twice', raw('00000002' + '0000000161' + '00000000' + '0000000141' + '00000000')],
  ['bytes after the headers', raw('00000000ff')],
]

for (const [name, block] of broken) {
  test(`a header block that is ${name} ends the connection`, async t => {
    await assert.rejects(decoderOf(t)(block), isProtocolError)
  })
}

test('any bytes are headers or an error', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), async blocks => {
      const decode = decoderOf(t)
      for (const block of blocks) {
        await decode(Buffer.from(block)).catch((err: unknown) => {
          assert.ok(isProtocolError(err), String(err))
        })
      }
    }),
    { numRuns: 100 },
  )
})

test('closing settles what is waiting', async () => {
  const made = createHeaderDecoder()
  const waiting = made.decode(raw('00000000'))
  made.close()
  await waiting.catch((err: unknown) => {
    assert.ok(isKind(err, 'cancelled'), String(err))
  })
  await assert.rejects(made.decode(raw('00000000')), (err: unknown) => isKind(err, 'cancelled'))
})
