import fc from 'fast-check'
import type { FieldSchema, FieldType, MessageSchema } from './message-schema.ts'
import { readFields, type WireField, type WireValue, writeFields } from './wire-fields.ts'

/** What texts are made of besides chance. */
export interface HostileTexts {
  /** For every field: ids of objects that exist, paths, images. */
  readonly texts: readonly string[]
  /** Fields, by name, that get nothing but these: those that would do harm outside the test. */
  readonly only: Readonly<Record<string, readonly string[]>>
}

/** Texts that have broken programs before. None of them leads to a file. */
const oddTexts = [
  '',
  ' ',
  '.',
  '..',
  '-',
  '--help',
  'a\0b',
  'a\nb',
  'a\r\nb',
  '\u202e\u0000\u{1f4a5}',
  'ÿ'.repeat(70),
  'x'.repeat(5000),
  '__proto__',
  'constructor',
  '%s%n',
  '$(reboot)',
  '{"a":[',
  '-1',
  '1e999',
  '0x10',
  'NaN',
  ':',
  '@',
  'a=b',
  'CON_TAINER',
] as const

const oddNumbers = [0n, 1n, 2n, -1n, 255n, 65_536n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 32n, 2n ** 53n]

/**
 * Requests of one RPC: the right one with one field broken, a random one of the right form, damaged bytes, and bytes of
 * no form at all. `right` makes a message of the schema that differs from the others by the salt.
 */
export function hostileRequests(
  schema: MessageSchema,
  right: (salt: string) => Uint8Array,
  texts: HostileTexts,
): fc.Arbitrary<Uint8Array> {
  const rightOnes = fc.nat().map(number => Buffer.from(right(number.toString(36))))
  return fc.oneof(
    {
      weight: 7,
      arbitrary: rightOnes.chain(bytes => broken(schema, readFields(schema, bytes), texts)).map(writeFields),
    },
    { weight: 3, arbitrary: randomMessage(schema, texts).map(writeFields) },
    { weight: 1, arbitrary: rightOnes.chain(damaged) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  )
}

/** One message inside a request, with the way to write the request with other fields in it. */
interface Place {
  readonly schema: MessageSchema
  readonly fields: readonly WireField[]
  readonly write: (fields: readonly WireField[]) => readonly WireField[]
}

function broken(
  schema: MessageSchema,
  fields: readonly WireField[],
  texts: HostileTexts,
): fc.Arbitrary<readonly WireField[]> {
  const places = placesIn({ schema, fields, write: all => all }).filter(one => one.schema.fields.length > 0)
  if (places.length === 0) return randomMessage(schema, texts)
  return fc.constantFrom(...places).chain(place =>
    fc.constantFrom(...place.schema.fields).chain(field => {
      const others = place.fields.filter(one => one.number !== field.number)
      const replaced = fc
        .array(fieldValue(field.type, { name: field.name, texts }), {
          minLength: 1,
          maxLength: field.isRepeated ? 3 : 1,
        })
        .map(values => [...others, ...values.map(value => ({ number: field.number, value }))])
      return fc
        .oneof(
          { weight: 6, arbitrary: replaced },
          { weight: 1, arbitrary: fc.constant(others) },
          { weight: 1, arbitrary: wrongType(field).map(one => [...others, one]) },
        )
        .map(place.write)
    }),
  )
}

function placesIn(place: Place): readonly Place[] {
  return [
    place,
    ...place.fields.flatMap((field, index) => {
      const type = place.schema.fields.find(one => one.number === field.number)?.type
      if (type?.kind !== 'message' || field.value.wire !== 'fields') return []
      return placesIn({
        schema: type.message,
        fields: field.value.fields,
        write: fields => {
          const value: WireValue = { wire: 'fields', fields }
          return place.write(place.fields.with(index, { number: field.number, value }))
        },
      })
    }),
  ]
}

function wrongType(field: FieldSchema): fc.Arbitrary<WireField> {
  return fc
    .oneof(
      bigNumber.map((value): WireValue => ({ wire: 'varint', value })),
      fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes): WireValue => ({ wire: 'fixed', bytes })),
      fc.uint8Array({ maxLength: 20 }).map((bytes): WireValue => ({ wire: 'bytes', bytes })),
    )
    .map(value => ({ number: field.number, value }))
}

function randomMessage(schema: MessageSchema, texts: HostileTexts): fc.Arbitrary<readonly WireField[]> {
  return fc
    .tuple(...schema.fields.map(field => randomField(field, texts)))
    .map(fields => fields.flatMap(values => values))
}

/** Mostly left out, so that messages stay small however deep they are. */
function randomField(field: FieldSchema, texts: HostileTexts): fc.Arbitrary<readonly WireField[]> {
  const values = fc
    .array(fieldValue(field.type, { name: field.name, texts }), {
      minLength: 1,
      maxLength: field.isRepeated ? 3 : 1,
    })
    .map(list => list.map(value => ({ number: field.number, value })))
  return fc.oneof(
    { weight: field.type.kind === 'message' ? 3 : 1, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: values },
  )
}

const bigNumber = fc.oneof(
  fc.constantFrom(...oddNumbers),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 200n }),
)

function fieldValue(
  type: FieldType,
  { name, texts }: { readonly name: string; readonly texts: HostileTexts },
): fc.Arbitrary<WireValue> {
  switch (type.kind) {
    case 'text':
      return textOf(name, texts).map(bytes => ({ wire: 'bytes', bytes }))
    case 'bytes':
      return fc.uint8Array({ maxLength: 64 }).map(bytes => ({ wire: 'bytes', bytes }))
    case 'number':
      return bigNumber.map(value => ({ wire: 'varint', value }))
    case 'double':
      return fc.uint8Array({ minLength: 8, maxLength: 8 }).map(bytes => ({ wire: 'fixed', bytes }))
    case 'message':
      return randomMessage(type.message, texts).map(fields => ({ wire: 'fields', fields }))
  }
}

function textOf(name: string, { texts, only }: HostileTexts): fc.Arbitrary<Uint8Array> {
  const chosen = Object.hasOwn(only, name) ? only[name] : undefined
  if (chosen) return fc.constantFrom(...chosen).map(text => Buffer.from(text))
  return fc.oneof(
    fc.constantFrom(...oddTexts, ...texts).map(text => Buffer.from(text)),
    fc.constantFrom('', ...texts).map(text => Buffer.from(text.slice(0, 12))),
    // A letter in front: what chance makes must not be the path of a file.
    fc.string({ unit: 'binary', maxLength: 40 }).map(text => Buffer.from(`x${text}`)),
    fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.concat([Buffer.from('x'), bytes])),
  )
}

/** Cut, or with some bits turned. */
function damaged(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.nat({ max: bytes.length }).map(end => bytes.subarray(0, end)),
    fc.array(fc.nat({ max: Math.max(0, bytes.length * 8 - 1) }), { minLength: 1, maxLength: 4 }).map(bits => {
      const turned = Uint8Array.from(bytes)
      for (const bit of bits) turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return turned
    }),
  )
}
