import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import {
  createFrameDecoder,
  encodeFrame,
  type FieldValue,
  type Frame,
  fieldBigint,
  fieldData,
  fieldNumber,
  fieldText,
  fieldTexts,
  frameLimits,
} from './protocol.ts'

interface GoldenField {
  readonly tag: number
  readonly kind: string
  readonly value: string
}

interface GoldenFrame {
  readonly name: string
  readonly bytes: Buffer
  readonly meaning:
    | { readonly id: number; readonly type: number; readonly fields: readonly GoldenField[] }
    | undefined
}

async function goldenFrames(): Promise<readonly GoldenFrame[]> {
  const text = await readFile(new URL('../../../shim/fixtures/frames.txt', import.meta.url), 'utf8')
  return text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => {
      const [name = '', hex = '', id = '', type = '', ...fields] = line.split(' ')
      const meaning =
        id === 'malformed'
          ? undefined
          : { id: Number(id), type: Number(type), fields: fields.map(goldenField) }
      return { name, bytes: Buffer.from(hex, 'hex'), meaning }
    })
}

function goldenField(text: string): GoldenField {
  const [tag = '', kind = '', ...value] = text.split(':')
  return { tag: Number(tag), kind, value: value.join(':') }
}

function goldenValue(field: GoldenField): FieldValue {
  if (field.kind === 'integer') return BigInt(field.value)
  if (field.kind === 'text') return decodeURIComponent(field.value)
  assert.equal(field.kind, 'bytes')
  return Buffer.from(field.value, 'hex')
}

test('golden frames are decoded and encoded as written', async () => {
  const golden = await goldenFrames()
  assert.ok(golden.length > 20)
  for (const { name, bytes, meaning } of golden) {
    if (!meaning) {
      assert.throws(
        () => createFrameDecoder().push(bytes),
        err => isKind(err, 'data-loss'),
        name,
      )
      continue
    }
    const fields = meaning.fields.map(field => [field.tag, goldenValue(field)] as const)
    const encoded = encodeFrame({ id: meaning.id, type: meaning.type, fields })
    assert.equal(encoded.toString('hex'), bytes.toString('hex'), name)
    const [frame, ...more] = createFrameDecoder().push(bytes)
    assert.ok(frame, name)
    assert.equal(more.length, 0, name)
    assert.equal(frame.id, meaning.id, name)
    assert.equal(frame.type, meaning.type, name)
    assert.equal(frame.fields.length, meaning.fields.length, name)
    for (const [index, field] of meaning.fields.entries()) {
      const got: Frame['fields'][number] | undefined = frame.fields[index]
      assert.ok(got, name)
      assert.equal(got.tag, field.tag, name)
      const single: Frame = { ...frame, fields: [got] }
      if (field.kind === 'integer') assert.equal(fieldBigint(single, field.tag, 0n), BigInt(field.value))
      else if (field.kind === 'text') {
        assert.equal(fieldText(single, field.tag), decodeURIComponent(field.value))
      } else assert.equal(fieldData(single, field.tag)?.toString('hex'), field.value)
    }
  }
})

test('frames are found whatever the sizes of the chunks', async () => {
  const golden = (await goldenFrames()).filter(frame => frame.meaning)
  const stream = Buffer.concat(golden.map(frame => frame.bytes))
  const ids = golden.map(frame => frame.meaning?.id)
  for (const chunkBytes of [1, 2, 11, 12, 13, 100, stream.length]) {
    const decoder = createFrameDecoder()
    const frames: Frame[] = []
    for (let at = 0; at < stream.length; at += chunkBytes) {
      frames.push(...decoder.push(stream.subarray(at, at + chunkBytes)))
    }
    assert.deepEqual(
      frames.map(frame => frame.id),
      ids,
    )
    assert.equal(decoder.isInsideFrame(), false)
  }
})

test('a frame of exactly the limit passes and one byte more does not', () => {
  const largest = Buffer.alloc(frameLimits.payloadBytes - 6, 'x')
  const [frame] = createFrameDecoder().push(encodeFrame({ id: 1, type: 98, fields: [[15, largest]] }))
  assert.ok(frame)
  assert.equal(fieldData(frame, 15)?.length, largest.length)
  assert.throws(
    () => encodeFrame({ id: 1, type: 98, fields: [[15, Buffer.alloc(largest.length + 1)]] }),
    err => isKind(err, 'invalid-argument'),
  )
})

test('a text with a NUL byte is not sent', () => {
  assert.throws(
    () => encodeFrame({ id: 1, type: 66, fields: [[21, 'a\0b']] }),
    err => isKind(err, 'invalid-argument'),
  )
})

test('fields that are absent or of the wrong kind', () => {
  const bytes = encodeFrame({
    id: 1,
    type: 1,
    fields: [
      [12, '/a'],
      [12, '/b'],
      [9, 2n ** 60n],
    ],
  })
  const [frame] = createFrameDecoder().push(bytes)
  assert.ok(frame)
  assert.deepEqual(fieldTexts(frame, 12), ['/a', '/b'])
  assert.deepEqual(fieldTexts(frame, 3), [])
  assert.equal(fieldText(frame, 3), '')
  assert.equal(fieldData(frame, 3), undefined)
  assert.equal(fieldNumber(frame, 13, -7), -7)
  assert.throws(
    () => fieldNumber(frame, 12, 0),
    err => isKind(err, 'data-loss'),
  )
  assert.throws(
    () => fieldNumber(frame, 9, 0),
    err => isKind(err, 'data-loss'),
  )
})
