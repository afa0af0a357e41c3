import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isKind, RuntimeError } from '#base/errors'
import { parseImageConfig } from './image-config.ts'
import { parseManifest, selectPlatform } from './manifest.ts'
import type { Platform } from './platform.ts'
import { makeBlob, makeImage, makeIndex, mediaTypes } from './testing/image-builder.ts'

const image = makeImage({ layers: [[{ name: 'a' }]] })
const digest = image.id
const descriptor = { mediaType: mediaTypes.config, digest, size: 2 }
const layer = { mediaType: mediaTypes.layer, digest, size: 2 }
const sound = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: descriptor, layers: [layer] }
const bytesOf = (document: unknown) => Buffer.from(JSON.stringify(document))

test('the type of a document is its own word, then that of the server', () => {
  const untyped = { ...sound, mediaType: undefined }
  assert.equal(parseManifest(bytesOf(untyped), `${mediaTypes.manifest}; charset=utf-8`, 'm').type, 'manifest')
  assert.equal(parseManifest(bytesOf(sound), 'text/plain', 'm').type, 'manifest')
  assert.throws(
    () => parseManifest(bytesOf(untyped), 'text/plain', 'm'),
    err => isKind(err, 'failed-precondition'),
  )
})

const brokenManifests: readonly (readonly [string, unknown])[] = [
  ['a list', []],
  ['null', null],
  ['a text', 'x'],
  ['schema 1', { ...sound, schemaVersion: 1 }],
  ['no schema', { ...sound, schemaVersion: undefined }],
  ['no config', { ...sound, config: undefined }],
  ['a list as config', { ...sound, config: [] }],
  ['layers that are no list', { ...sound, layers: { 0: layer, length: 1 } }],
  ['a layer that is no object', { ...sound, layers: ['x'] }],
  ['a layer without size', { ...sound, layers: [{ ...layer, size: undefined }] }],
  ['a negative size', { ...sound, layers: [{ ...layer, size: -1 }] }],
  ['a broken size', { ...sound, layers: [{ ...layer, size: 1.5 }] }],
  ['a size beyond all numbers', { ...sound, layers: [{ ...layer, size: 1e300 }] }],
  ['a size as text', { ...sound, layers: [{ ...layer, size: '2' }] }],
  ['a digest that is a path', { ...sound, layers: [{ ...layer, digest: 'sha256:../../etc/passwd' }] }],
  ['a digest in capitals', { ...sound, layers: [{ ...layer, digest: digest.toUpperCase() }] }],
  ['a digest of another kind', { ...sound, layers: [{ ...layer, digest: `sha512:${'a'.repeat(128)}` }] }],
  ['a strange layer', { ...sound, layers: [{ ...layer, mediaType: 'application/x-evil' }] }],
  ['a NUL in a type', { ...sound, mediaType: `${mediaTypes.manifest}\0` }],
  ['both kinds', { ...sound, manifests: [] }],
  ['an index with a manifest in it', { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{}] }],
]

for (const [name, document] of brokenManifests) {
  test(`a manifest that is or has ${name} is refused`, () => {
    assert.throws(
      () => parseManifest(bytesOf(document), mediaTypes.manifest, 'manifest of x'),
      err => isKind(err, 'failed-precondition') && err.message.startsWith('manifest of x'),
    )
  })
}

const brokenConfigs: readonly (readonly [string, unknown])[] = [
  ['no rootfs', {}],
  ['a rootfs that is a list', { rootfs: [] }],
  ['diff ids that are no digests', { rootfs: { diff_ids: ['sha256:x'] } }],
  ['a number as diff id', { rootfs: { diff_ids: [1] } }],
  ['another system', { os: 'plan9', rootfs: { diff_ids: [] } }],
  ['Env with a NUL', { rootfs: { diff_ids: [] }, config: { Env: ['A=\0'] } }],
  ['Env without a name', { rootfs: { diff_ids: [] }, config: { Env: ['=b'] } }],
  ['Cmd as text', { rootfs: { diff_ids: [] }, config: { Cmd: '/bin/sh' } }],
  ['Cmd with a number', { rootfs: { diff_ids: [] }, config: { Cmd: [1] } }],
  ['Labels as list', { rootfs: { diff_ids: [] }, config: { Labels: ['a'] } }],
  ['Labels with an object', { rootfs: { diff_ids: [] }, config: { Labels: { a: {} } } }],
  ['Volumes as text', { rootfs: { diff_ids: [] }, config: { Volumes: '/data' } }],
  ['a User that is a number', { rootfs: { diff_ids: [] }, config: { User: 0 } }],
  [
    'too many arguments',
    { rootfs: { diff_ids: [] }, config: { Cmd: Array.from({ length: 5000 }, () => '') } },
  ],
]

for (const [name, document] of brokenConfigs) {
  test(`a config with ${name} is refused`, () => {
    assert.throws(
      () => parseImageConfig(bytesOf(document), 'config of x'),
      err => isKind(err, 'failed-precondition') && err.message.startsWith('config of x'),
    )
  })
}

test('a document that is not UTF-8 or nested without end is refused', () => {
  const documents = [Buffer.from([0x7b, 0xff, 0x7d]), Buffer.from('['.repeat(200_000)), Buffer.alloc(0)]
  for (const bytes of documents) {
    assert.throws(
      () => parseManifest(bytes, mediaTypes.manifest, 'm'),
      err => isKind(err, 'failed-precondition'),
    )
  }
})

test('no JSON whatever makes the parsers fail in another way than refusing it', () => {
  const fields = fc.record(
    {
      schemaVersion: fc.oneof(fc.constant(2), fc.jsonValue()),
      mediaType: fc.oneof(fc.constantFrom(mediaTypes.manifest, mediaTypes.index), fc.jsonValue()),
      config: fc.oneof(fc.constant(descriptor), fc.jsonValue()),
      layers: fc.oneof(fc.constant([layer]), fc.jsonValue()),
      manifests: fc.jsonValue(),
      rootfs: fc.oneof(fc.constant({ diff_ids: [] }), fc.jsonValue()),
      os: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const refusesOrReads = (read: () => unknown) => {
    try {
      read()
    } catch (err) {
      if (!(err instanceof RuntimeError) || err.kind !== 'failed-precondition') throw err
    }
  }
  fc.assert(
    fc.property(fields, document => {
      refusesOrReads(() => parseManifest(bytesOf(document), mediaTypes.manifest, 'm'))
      refusesOrReads(() => parseImageConfig(bytesOf(document), 'c'))
    }),
  )
})

const platform = (text: string): Platform => {
  const [os = '', architecture = '', variant = ''] = text.split('/')
  return { os, architecture, variant }
}

const choices: readonly (readonly [string, readonly string[], number | undefined])[] = [
  ['linux/amd64', ['linux/arm64', 'linux/amd64'], 1],
  ['linux/amd64', ['windows/amd64', 'linux/amd64/v3', 'linux/amd64/v1'], 2],
  ['linux/amd64', ['linux/amd64/v1', 'linux/amd64'], 1],
  ['linux/amd64', ['linux/amd64/v3'], undefined],
  ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 1],
  ['linux/arm64', ['linux/arm64/v9'], undefined],
  ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8'], 1],
  ['linux/arm/v7', ['linux/arm/v6', 'linux/arm/v7'], 1],
  ['linux/arm/v7', ['linux/arm64/v8'], undefined],
  ['linux/amd64', ['unknown/unknown'], undefined],
  ['linux/amd64', [], undefined],
]

for (const [machine, offered, chosen] of choices) {
  test(`for ${machine}, of ${offered.join(', ')} is chosen ${String(chosen)}`, () => {
    const entries = offered.map((text, number) => ({
      blob: makeBlob(mediaTypes.manifest, String(number)),
      platform: platform(text),
    }))
    const index = parseManifest(makeIndex(entries).bytes, '', 'index')
    assert.ok(index.type === 'index')
    if (chosen === undefined) {
      assert.throws(
        () => selectPlatform(index, platform(machine), 'x'),
        err => isKind(err, 'not-found'),
      )
      return
    }
    assert.equal(selectPlatform(index, platform(machine), 'x').digest, entries[chosen]?.blob.digest)
  })
}

test('an only entry without a platform is taken on trust, one of several is not', () => {
  const only = parseManifest(makeIndex([{ blob: image.manifest, platform: undefined }]).bytes, '', 'index')
  const two = { blob: image.manifest, platform: undefined }
  const several = parseManifest(makeIndex([two, two]).bytes, '', 'index')
  assert.ok(only.type === 'index' && several.type === 'index')
  assert.equal(selectPlatform(only, platform('linux/amd64'), 'x').digest, image.manifest.digest)
  assert.throws(() => selectPlatform(several, platform('linux/amd64'), 'x'))
})
