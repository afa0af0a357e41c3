import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RuntimeError } from '#base/errors'
import { imageMethods as rpc } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { openTestDoor } from '../testing/door-fixture.ts'
import { sampleImage, sampleImageId } from '../testing/samples.ts'

const web = 'registry.example/web:1'

test('an image can be pulled, listed, looked at and removed, under one id', async t => {
  const { client } = await openTestDoor(t)
  const { imageRef } = await client.call(rpc.PullImage, { image: { image: web } })
  assert.equal(imageRef, sampleImageId(1))
  const { images } = await client.call(rpc.ListImages, {})
  assert.deepEqual(
    images.map(({ id, repoTags, size }) => [id, repoTags, String(size)]),
    [[imageRef, [web], '5000000000']],
  )
  for (const name of [web, imageRef]) {
    const { image } = await client.call(rpc.ImageStatus, { image: { image: name } })
    assert.equal(image?.id, imageRef)
  }
  for (const repeat of ['first', 'again']) {
    await client.call(rpc.RemoveImage, { image: { image: web } })
    assert.deepEqual((await client.call(rpc.ListImages, {})).images, [], repeat)
  }
})

test('an image that is not here is an answer without an image', async t => {
  const { client } = await openTestDoor(t)
  const { image, info } = await client.call(rpc.ImageStatus, { image: { image: web }, verbose: true })
  assert.equal(image, null)
  assert.deepEqual(info, {})
})

test('the filter is any name of the image', async t => {
  const { client } = await openTestDoor(t)
  await client.call(rpc.PullImage, { image: { image: web } })
  await client.call(rpc.PullImage, { image: { image: 'registry.example/db:1' } })
  const { images } = await client.call(rpc.ListImages, { filter: { image: { image: web } } })
  assert.deepEqual(
    images.map(({ repoTags }) => repoTags),
    [[web]],
  )
})

test('credentials reach the engine and no log', async t => {
  const { client, engine, log } = await openTestDoor(t)
  const auth = {
    username: 'ann',
    password: 'hunter2',
    identityToken: 'id-secret',
    registryToken: 'rt-secret',
  }
  await client.call(rpc.PullImage, { image: { image: web }, auth })
  assert.deepEqual(engine.pulls, [{ reference: web, auth: { ...auth, auth: '', serverAddress: '' } }])
  assert.doesNotMatch(log.text(), /hunter2|id-secret|rt-secret/)
  assert.match(log.text(), /registry\.example/)
})

test('a pull ends when its deadline passes', async t => {
  const { client, engine } = await openTestDoor(t)
  engine.slowImages.add(web)
  await assert.rejects(client.call(rpc.PullImage, { image: { image: web } }, { timeoutMs: 30 }), {
    code: grpcCode.deadlineExceeded,
  })
})

test('the kubelet recognises why a pull failed by the beginning of the text', async t => {
  const { client, engine } = await openTestDoor(t)
  const table = [
    { kind: 'registry-unavailable', details: 'RegistryUnavailable: cannot pull web' },
    { kind: 'signature-invalid', details: 'SignatureValidationFailed: cannot pull web' },
  ] as const
  for (const { kind, details } of table) {
    engine.failNext(new RuntimeError(kind, 'cannot pull web'))
    await assert.rejects(client.call(rpc.PullImage, { image: { image: web } }), {
      code: grpcCode.unknown,
      details,
    })
  }
})

test('an image without a name is INVALID_ARGUMENT', async t => {
  const { client } = await openTestDoor(t)
  for (const method of [rpc.PullImage, rpc.RemoveImage, rpc.ImageStatus] as const) {
    for (const image of [null, {}, { image: '' }, { image: 'a\0b' }]) {
      await assert.rejects(client.call(method, { image }), {
        code: grpcCode.invalidArgument,
        details: /^image/,
      })
    }
  }
})

test('an image has a uid or a user name, never both', async t => {
  const { client, engine } = await openTestDoor(t)
  const table = [
    { user: '', uid: undefined, username: '' },
    { user: '0', uid: '0', username: '' },
    { user: '1000:1000', uid: '1000', username: '' },
    { user: 'www:www', uid: undefined, username: 'www' },
    { user: ':5', uid: undefined, username: '' },
  ]
  for (const { user, uid, username } of table) {
    const image = sampleImage(7, [web])
    engine.images.set(image.id, { ...image, config: { ...image.config, user } })
    const { image: status } = await client.call(rpc.ImageStatus, { image: { image: web } })
    assert.deepEqual(
      { uid: status?.uid ? String(status.uid.value ?? 0) : undefined, username: status?.username ?? '' },
      { uid, username },
      user,
    )
  }
})

test('a verbose status has the image configuration under its own names', async t => {
  const { client } = await openTestDoor(t)
  await client.call(rpc.PullImage, { image: { image: web } })
  const { info } = await client.call(rpc.ImageStatus, { image: { image: web }, verbose: true })
  const { imageSpec } = JSON.parse(info.info ?? '') as { imageSpec: { config: { Cmd: string[] } } }
  assert.deepEqual(imageSpec.config.Cmd, ['/bin/web'])
})

test('the image file system is told at once', async t => {
  const { client } = await openTestDoor(t)
  const { imageFilesystems, containerFilesystems } = await client.call(rpc.ImageFsInfo, {})
  for (const [usage] of [imageFilesystems, containerFilesystems]) {
    assert.deepEqual(
      [usage?.fsId?.mountpoint, String(usage?.usedBytes?.value), String(usage?.inodesUsed?.value)],
      ['/var/lib/lighter', '9000000000', '12345'],
    )
  }
})
