import assert from 'node:assert/strict'
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { zstdTar } from './testing/compress.ts'
import { makeBlob, makeImage, makeIndex, mediaTypes } from './testing/image-builder.ts'
import { startRegistry, type TestRegistry } from './testing/registry.ts'
import { type StoreBench, startStore } from './testing/store.ts'

let bench: StoreBench
let registry: TestRegistry

before(async () => {
  registry = await startRegistry()
  bench = await startStore()
})

after(async () => {
  await bench.close()
  await registry.close()
})

afterEach(async () => {
  registry.interfere(() => false)
  for (const image of bench.store.list()) await bench.store.remove(bench.ctx, image.id)
  assert.deepEqual(await bench.leftovers(), [], 'removing all images leaves nothing')
  assert.deepEqual([bench.store.usage().usedBytes, bench.store.usage().inodesUsed], [0, 0])
})

const pull = (reference: string) => bench.store.pull(bench.ctx, { reference, auth: undefined })
const named = (name: string) => `${registry.host}/${name}`

/** Where a layer of an image lies; 0 is the bottom. */
async function layerPath(reference: string, index: number): Promise<string> {
  const chainId = bench.store.find(reference)?.chainIds[index]
  for (const name of await bench.leftovers()) {
    if (!/^snapshots\/[0-9]+\.json$/.test(name)) continue
    const record = await readFile(join(bench.root, name), 'utf8')
    if (chainId !== undefined && record.includes(`"chainId": "${chainId}"`)) {
      return join(bench.root, name.replace('.json', ''))
    }
  }
  throw new Error(`no layer ${String(index)} of ${reference}`)
}

test('an image is pulled, described, and its layers are unpacked', async () => {
  const image = makeImage({
    layers: [
      [
        { name: 'tmp', type: 'directory', mode: 0o1777, uid: 3, gid: 4 },
        { name: 'etc/passwd', content: 'root' },
      ],
      [{ name: 'tmp/file', content: 'in a directory of the layer below' }],
    ],
    config: {
      created: '2024-01-02T03:04:05Z',
      config: {
        Env: ['A=b'],
        User: 'nobody',
        Labels: { x: 'y', ['__proto__']: 'z' },
        Volumes: { '/data': {} },
        Entrypoint: null,
        StopSignal: 'SIGINT',
        WorkingDir: '/w',
      },
    },
  })
  registry.addImage('team/app', 'v1', image)
  assert.equal(await pull(named('team/app:v1')), image.id)

  const found = bench.store.find(named('team/app:v1'))
  assert.ok(found)
  assert.deepEqual(found.repoTags, [named('team/app:v1')])
  assert.deepEqual(found.repoDigests, [named(`team/app@${image.manifest.digest}`)])
  assert.equal(found.manifestDigest, image.manifest.digest)
  assert.deepEqual(found.config, {
    user: 'nobody',
    env: ['A=b'],
    entrypoint: [],
    cmd: [],
    workingDir: '/w',
    stopSignal: 'SIGINT',
    volumes: ['/data'],
    labels: Object.fromEntries([
      ['x', 'y'],
      ['__proto__', 'z'],
    ]),
    os: 'linux',
    architecture: 'amd64',
    created: '2024-01-02T03:04:05Z',
  })
  assert.ok(found.sizeBytes > image.config.size + image.manifest.size)

  const lower = await layerPath(named('team/app:v1'), 0)
  const upper = await layerPath(named('team/app:v1'), 1)
  assert.equal(await readFile(join(lower, 'etc/passwd'), 'utf8'), 'root')
  assert.equal((await lstat(join(lower, 'etc'))).mode & 0o7777, 0o755)
  const tmp = await lstat(join(upper, 'tmp'))
  assert.deepEqual([tmp.mode & 0o7777, tmp.uid, tmp.gid], [0o1777, 3, 4], 'implicit /tmp is as below')
  for (const root of [lower, upper]) assert.equal((await lstat(root)).mode & 0o7777, 0o755)
  const blobs = (await bench.leftovers()).filter(name => name.startsWith('content/'))
  assert.equal(blobs.length, 2, 'only manifest and config are kept')
})

test('an implicit directory never follows a link of the image to the host', async () => {
  const image = makeImage({
    layers: [
      [
        { name: 'escape', type: 'symlink', link: bench.root },
        { name: 'real', type: 'directory', mode: 0o700 },
      ],
      [
        { name: 'escape/snapshots/x', content: '' },
        { name: 'real/x', content: '' },
      ],
    ],
  })
  registry.addImage('links', 'latest', image)
  const before = await lstat(join(bench.root, 'snapshots'))
  await pull(named('links'))
  const upper = await layerPath(named('links'), 1)
  assert.equal((await lstat(join(upper, 'real'))).mode & 0o7777, 0o700)
  assert.equal((await lstat(join(upper, 'escape/snapshots'))).mode & 0o7777, 0o755)
  assert.equal((await lstat(join(bench.root, 'snapshots'))).mode, before.mode)
})

test('plain, zstd and Docker layers are unpacked alike', async () => {
  const layers = [[{ name: 'file', content: 'same' }]]
  registry.addImage('plain', 'latest', makeImage({ layers, compress: tar => tar }))
  registry.addImage('zstd', 'latest', makeImage({ layers, compress: zstdTar }))
  registry.addImage('docker', 'latest', makeImage({ layers, isDocker: true }))
  for (const name of ['plain', 'zstd', 'docker']) await pull(named(name))
  const chainIds = bench.store.list().map(image => image.chainIds[0])
  assert.equal(new Set(chainIds).size, 1, 'one layer for all')
  assert.equal((await bench.leftovers()).filter(name => /^snapshots\/[0-9]+$/.test(name)).length, 1)
})

test('the manifest for this machine is chosen from an index', async () => {
  const mine = makeImage({ layers: [[{ name: 'amd64' }]] })
  const other = makeImage({ layers: [[{ name: 'arm64' }]] })
  const index = makeIndex([
    { blob: other.manifest, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    { blob: makeBlob('application/x-strange', 'x'), platform: { os: 'linux', architecture: 'amd64' } },
    { blob: mine.manifest, platform: { os: 'linux', architecture: 'amd64' } },
    { blob: other.config, platform: { os: 'unknown', architecture: 'unknown' } },
  ])
  registry.addImage('multi', 'unused', mine)
  registry.addManifest('multi', 'latest', index)
  assert.equal(await pull(named('multi')), mine.id)
  const image = bench.store.find(named('multi'))
  assert.deepEqual(image?.repoDigests, [named(`multi@${index.digest}`)])
  assert.equal(image.manifestDigest, mine.manifest.digest)
})

test('the same manifest under another name has the same id and both names', async () => {
  const image = makeImage({ layers: [[{ name: 'a' }]] })
  registry.addImage('one', 'x', image)
  registry.addImage('two', 'y', image)
  await pull(named('one:x'))
  const asked = registry.requests.length
  assert.equal(await pull(named('two:y')), image.id)
  assert.deepEqual(
    registry.requests.slice(asked).map(({ method, url }) => `${method} ${url}`),
    ['GET /v2/two/manifests/y'],
  )
  assert.deepEqual(bench.store.find(image.id)?.repoTags, [named('one:x'), named('two:y')])
  assert.equal(bench.store.list().length, 1)
})

test('pulling what is here costs one HEAD', async () => {
  const image = makeImage({ layers: [[{ name: 'a' }]] })
  registry.addImage('here', 'latest', image)
  for (const reference of [named('here'), named(`here@${image.manifest.digest}`)]) {
    await pull(reference)
    const asked = registry.requests.length
    assert.equal(await pull(reference), image.id)
    assert.deepEqual(
      registry.requests.slice(asked).map(request => request.method),
      ['HEAD'],
    )
  }
  assert.deepEqual(bench.store.find(image.id)?.repoTags, [named('here:latest')])
})

test('a pull by digest gives no tag', async () => {
  const image = makeImage({ layers: [[{ name: 'a' }]] })
  registry.addImage('bydigest', 'latest', image)
  const reference = named(`bydigest:ignored@${image.manifest.digest}`)
  assert.equal(await pull(reference), image.id)
  assert.deepEqual(bench.store.find(reference)?.repoTags, [])
  assert.equal(bench.store.find(named('bydigest')), undefined)
})

test('a tag that was moved goes over to the new image', async () => {
  const old = makeImage({ layers: [[{ name: 'old' }]] })
  const fresh = makeImage({ layers: [[{ name: 'new' }]] })
  registry.addImage('moving', 'latest', old)
  await pull(named('moving'))
  registry.addImage('moving', 'latest', fresh)
  assert.equal(await pull(named('moving')), fresh.id)
  assert.equal(bench.store.find(named('moving'))?.id, fresh.id)
  assert.deepEqual(bench.store.find(old.id)?.repoTags, [])
  assert.equal(bench.store.find(named(`moving@${old.manifest.digest}`))?.id, old.id)
})

test('a layer that occurs twice in one image is unpacked twice, on different parents', async () => {
  const same = [{ name: 'same' }]
  registry.addImage('twice', 'latest', makeImage({ layers: [same, same, same] }))
  await pull(named('twice'))
  const chainIds = bench.store.find(named('twice'))?.chainIds ?? []
  assert.equal(new Set(chainIds).size, 3)
})

test('an image without layers is an image', async () => {
  const image = makeImage({ layers: [] })
  registry.addImage('scratch', 'latest', image)
  assert.equal(await pull(named('scratch')), image.id)
  assert.deepEqual(bench.store.find(image.id)?.chainIds, [])
})

test('the same image asked for five times at once is pulled once', async () => {
  const image = makeImage({ layers: [[{ name: 'a' }], [{ name: 'b' }]] })
  registry.addImage('joined', 'latest', image)
  const asked = registry.requests.length
  const ids = await Promise.all(Array.from({ length: 5 }, () => pull(named('joined'))))
  assert.deepEqual(new Set(ids), new Set([image.id]))
  assert.equal(registry.requests.length - asked, 4, 'manifest, config and two layers')
})

test('layers that images share are downloaded once, also at the same time', async () => {
  const base = [{ name: 'base', content: 'b'.repeat(100_000) }]
  const one = makeImage({ layers: [base, [{ name: 'one' }]] })
  const two = makeImage({ layers: [base, [{ name: 'two' }]] })
  registry.addImage('share', 'one', one)
  registry.addImage('share', 'two', two)
  const asked = registry.requests.length
  await Promise.all([pull(named('share:one')), pull(named('share:two'))])
  const shared = one.layers[0]?.digest ?? ''
  const downloads = registry.requests.slice(asked).filter(request => request.url.endsWith(shared))
  assert.equal(downloads.length, 1)
  const [first, second] = bench.store.list()
  assert.equal(first?.chainIds[0], second?.chainIds[0])
  await bench.store.remove(bench.ctx, one.id)
  assert.ok(await layerPath(named('share:two'), 0), 'the shared layer is still there')
})

test('images are found by id, id prefix, tag, digest and familiar name', async () => {
  const image = makeImage({ layers: [[{ name: 'a' }]], config: { config: { Labels: { n: '1' } } } })
  registry.addImage('find/me', 'latest', image)
  await pull(named('find/me'))
  const hex = image.id.slice('sha256:'.length)
  const names = [image.id, hex, hex.slice(0, 13), `sha256:${hex.slice(0, 10)}`]
  for (const name of [...names, named('find/me'), named(`find/me@${image.manifest.digest}`)]) {
    assert.equal(bench.store.find(name)?.id, image.id, name)
    assert.deepEqual(
      bench.store.list(name).map(({ id }) => id),
      [image.id],
    )
  }
  for (const name of [
    '',
    'find/me',
    'UPPER',
    named('find/me:other'),
    image.manifest.digest,
    'f'.repeat(64),
  ]) {
    assert.equal(bench.store.find(name), undefined, name)
    assert.deepEqual(bench.store.list(name), [])
  }
})

test('a download that is cut goes on where it stopped', async () => {
  const content = Buffer.alloc(400_000, 'x')
  const image = makeImage({ layers: [[{ name: 'big', content }]], compress: tar => tar })
  const layer = image.layers[0]
  assert.ok(layer)
  registry.addImage('resumed', 'latest', image)
  const ranges: (string | undefined)[] = []
  registry.interfere((request, response) => {
    if (!request.url.endsWith(layer.digest)) return false
    ranges.push(request.headers.range)
    if (ranges.length > 1) return false
    response.writeHead(200, { 'content-length': layer.size })
    response.write(layer.bytes.subarray(0, 200_000), () => response.destroy())
    return true
  })
  assert.equal(await pull(named('resumed')), image.id)
  assert.equal(ranges.length, 2)
  assert.match(ranges[1] ?? '', /^bytes=[1-9][0-9]*-$/)
})

test('a config of another type in the manifest is no image', async () => {
  const image = makeImage({ layers: [] })
  const chart = makeBlob(mediaTypes.manifest, {
    schemaVersion: 2,
    config: {
      mediaType: 'application/vnd.cncf.helm.config.v1+json',
      digest: image.id,
      size: image.config.size,
    },
    layers: [],
  })
  registry.addManifest('chart', 'latest', chart)
  await assert.rejects(pull(named('chart')), { kind: 'failed-precondition' })
})
