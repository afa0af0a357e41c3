import assert from 'node:assert/strict'
import { access, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { createIds, parseContainerId, parseDigest } from '#base/ids'
import { makeImage } from './testing/image-builder.ts'
import { startRegistry, type TestRegistry } from './testing/registry.ts'
import { type StoreBench, startStore } from './testing/store.ts'

let bench: StoreBench
let registry: TestRegistry
let targets: string

before(async () => {
  bench = await startStore()
  registry = await startRegistry()
  targets = await mkdtemp(join(tmpdir(), 'lighter-rootfs-'))
})

after(async () => {
  await bench.close()
  await registry.close()
  await rm(targets, { recursive: true, force: true })
})

afterEach(async () => {
  const mounted = await readdir(targets)
  await bench.host.unmount(
    bench.ctx,
    mounted.map(name => join(targets, name)),
  )
  for (const key of await bench.store.rootfs.keys()) {
    await bench.store.rootfs.remove(bench.ctx, { key: parseContainerId(key), target: join(targets, key) })
  }
  await bench.close()
  bench = await startStore()
})

const ids = createIds()
const base = [
  { name: 'tmp', type: 'directory' as const, mode: 0o1777 },
  { name: 'etc/hosts', content: 'lower' },
  { name: 'gone', content: 'gone' },
  { name: 'opaque/old', content: 'old' },
]
const image = makeImage({
  layers: [
    base,
    [
      { name: '.wh.gone' },
      { name: 'opaque/.wh..wh..opq' },
      { name: 'opaque/new', content: 'new' },
      { name: 'tmp/x' },
    ],
  ],
})

async function pulled(what = image, tag = 'latest') {
  registry.addImage('app', tag, what)
  const reference = `${registry.host}/app:${tag}`
  return parseDigest(await bench.store.pull(bench.ctx, { reference, auth: undefined }))
}

/** Without user namespace and volumes. */
const plain = { idMappings: undefined, volumes: [] } as const

async function makeRootfs(imageId: ReturnType<typeof parseDigest>) {
  const key = ids.containerId()
  const target = join(targets, key)
  await mkdir(target)
  await bench.store.rootfs.prepare(bench.ctx, { ...plain, key, imageId, target })
  return { key, target }
}

async function isMounted(target: string): Promise<boolean> {
  return (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${target} `)
}

const layerDirectories = async () =>
  (await bench.leftovers()).filter(name => /^snapshots\/[0-9]+$/.test(name)).length

test('a root file system shows the layers, whiteouts applied, and is writable', async () => {
  const { key, target } = await makeRootfs(await pulled())
  assert.deepEqual((await readdir(target)).sort(), ['etc', 'opaque', 'tmp'])
  assert.deepEqual(await readdir(join(target, 'opaque')), ['new'])
  assert.equal((await lstat(join(target, 'tmp'))).mode & 0o7777, 0o1777)
  assert.equal((await lstat(target)).mode & 0o7777, 0o755)
  await writeFile(join(target, 'etc/hosts'), 'x'.repeat(50_000))
  const usage = await bench.store.rootfs.usage(bench.ctx, key)
  assert.ok(usage.bytes >= 50_000 && usage.inodes >= 2, JSON.stringify(usage))
  const again = await makeRootfs(parseDigest(image.id))
  assert.equal(await readFile(join(again.target, 'etc/hosts'), 'utf8'), 'lower')
})

test('remove unmounts, deletes, and may be repeated', async () => {
  const { key, target } = await makeRootfs(await pulled())
  assert.deepEqual(await bench.store.rootfs.keys(), [key])
  for (let round = 0; round < 2; round++) {
    await bench.store.rootfs.remove(bench.ctx, { key, target })
    assert.equal(await isMounted(target), false)
    assert.deepEqual(await bench.store.rootfs.keys(), [])
    assert.deepEqual(await readdir(bench.store.rootfs.mountpoint), [])
  }
  await assert.rejects(bench.store.rootfs.usage(bench.ctx, key), { kind: 'not-found' })
})

test('an image that is removed while in use leaves its layers to the container', async () => {
  const { key, target } = await makeRootfs(await pulled())
  await bench.store.remove(bench.ctx, image.id)
  assert.deepEqual(bench.store.list(), [])
  assert.equal(await layerDirectories(), 2)
  assert.equal(await readFile(join(target, 'etc/hosts'), 'utf8'), 'lower')
  const next = await bench.restart()
  assert.equal(await layerDirectories(), 2, 'a restart knows what is in use')
  assert.deepEqual(await next.rootfs.keys(), [key])
  await next.rootfs.remove(bench.ctx, { key, target })
  assert.deepEqual(await bench.leftovers(), [])
})

test('an image volume holds its layers, also after a restart and without its image', async () => {
  const data = makeImage({ layers: [[{ name: 'data/file', content: 'data' }, { name: '.wh.gone' }]] })
  const imageId = await pulled()
  const volumeId = await pulled(data, 'data')
  const key = ids.containerId()
  const target = join(targets, key)
  const volume = join(targets, `${key}-volume`)
  await mkdir(target)
  await bench.store.rootfs.prepare(bench.ctx, {
    key,
    imageId,
    target,
    idMappings: undefined,
    volumes: [{ imageId: volumeId, target: volume, subPath: 'data', options: [], idMappings: undefined }],
  })
  assert.deepEqual(await readdir(volume), ['file'])
  await assert.rejects(writeFile(join(volume, 'new'), ''), { code: 'EROFS' })
  await bench.store.remove(bench.ctx, volumeId)
  const next = await bench.restart()
  assert.equal(await layerDirectories(), 3)
  await next.remove(bench.ctx, imageId)
  assert.equal(await layerDirectories(), 3)
  await bench.host.unmount(bench.ctx, [volume])
  await next.rootfs.remove(bench.ctx, { key, target })
  assert.deepEqual(await bench.leftovers(), [])
})

test('a volume that cannot be mounted leaves nothing of the root file system and of the other volumes', async () => {
  const imageId = await pulled()
  const key = ids.containerId()
  const target = join(targets, key)
  await mkdir(target)
  const volume = (name: string, subPath: string) => ({
    ...{ imageId, subPath, options: [], idMappings: undefined },
    target: join(targets, `${key}-${name}`),
  })
  const volumes = [volume('good', 'etc'), volume('bad', 'none')]
  await assert.rejects(
    bench.store.rootfs.prepare(bench.ctx, { key, imageId, target, idMappings: undefined, volumes }),
    { kind: 'not-found', message: /sub path none/ },
  )
  assert.equal(await isMounted(target), false)
  assert.deepEqual(await readdir(bench.store.rootfs.mountpoint), [])
  assert.deepEqual(
    (await readdir(targets)).filter(name => name.startsWith(key)),
    [],
  )
})

test('with id mappings the root file system belongs to the mapped ids, on disk, too', async () => {
  const owned = makeImage({ layers: [[{ name: 'owned', content: 'x', uid: 5, gid: 6 }]] })
  const imageId = await pulled(owned, 'owned')
  const key = ids.containerId()
  const target = join(targets, key)
  await mkdir(target)
  const idMappings = {
    uids: [{ containerId: 0, hostId: 70_000, length: 100 }],
    gids: [{ containerId: 0, hostId: 80_000, length: 100 }],
  }
  await bench.store.rootfs.prepare(bench.ctx, { key, imageId, target, idMappings, volumes: [] })
  const owner = async (path: string) => {
    const { uid, gid } = await stat(path)
    return [uid, gid]
  }
  assert.deepEqual(await owner(join(target, 'owned')), [70_005, 80_006])
  assert.deepEqual(await owner(target), [70_000, 80_000])
  await writeFile(join(target, 'owned'), 'changed')
  assert.deepEqual(await owner(join(bench.store.rootfs.mountpoint, key, 'upper', 'owned')), [70_005, 80_006])
  await bench.store.rootfs.remove(bench.ctx, { key, target })
})

test('removing an image keeps the layers that another one has', async () => {
  const other = makeImage({ layers: [base, [{ name: 'other' }]] })
  await pulled()
  await pulled(other, 'other')
  assert.equal(await layerDirectories(), 3)
  await bench.store.remove(bench.ctx, image.id)
  assert.equal(await layerDirectories(), 2)
  await bench.store.remove(bench.ctx, `${registry.host}/app:other`)
  assert.deepEqual(await bench.leftovers(), [])
})

test('removing an image that is not there succeeds, also many times at once', async () => {
  await bench.store.remove(bench.ctx, 'nothing')
  await bench.store.remove(bench.ctx, 'NOT:a/reference')
  await pulled()
  await Promise.all(Array.from({ length: 5 }, () => bench.store.remove(bench.ctx, image.id)))
  assert.deepEqual(await bench.leftovers(), [])
})

test('a container of an unknown image is not-found, and nothing is made', async () => {
  await assert.rejects(makeRootfs(parseDigest(`sha256:${'0'.repeat(64)}`)), { kind: 'not-found' })
  assert.deepEqual(await bench.leftovers(), [])
})

test('a key that is taken is already-exists, and the first one stays', async () => {
  const imageId = await pulled()
  const { key, target } = await makeRootfs(imageId)
  await assert.rejects(bench.store.rootfs.prepare(bench.ctx, { ...plain, key, imageId, target }), {
    kind: 'already-exists',
  })
  assert.equal(await isMounted(target), true)
})

test('a mount that fails leaves nothing of the root file system', async () => {
  const imageId = await pulled()
  const key = ids.containerId()
  const target = join(targets, 'absent', key)
  await assert.rejects(bench.store.rootfs.prepare(bench.ctx, { ...plain, key, imageId, target }), {
    message: new RegExp(`root file system of ${key}`),
  })
  assert.deepEqual(await bench.store.rootfs.keys(), [])
  assert.deepEqual(await readdir(bench.store.rootfs.mountpoint), [])
})

test('an image without layers gives an empty root', async () => {
  const { target } = await makeRootfs(await pulled(makeImage({ layers: [] }), 'empty'))
  assert.deepEqual(await readdir(target), [])
  await writeFile(join(target, 'file'), '')
})

test('many layers fit into one mount', async () => {
  const layers = Array.from({ length: 100 }, (_, index) => [{ name: `f${String(index)}` }])
  const { target } = await makeRootfs(await pulled(makeImage({ layers }), 'many'))
  assert.equal((await readdir(target)).length, 100)
})

test('a damaged record of a root file system keeps every layer until it is removed', async () => {
  const { key, target } = await makeRootfs(await pulled())
  await bench.store.remove(bench.ctx, image.id)
  await writeFile(join(bench.root, 'rootfs', `${key}.json`), '{')
  const next = await bench.restart()
  assert.deepEqual(await next.rootfs.keys(), [key])
  assert.equal(await readFile(join(target, 'etc/hosts'), 'utf8'), 'lower')
  assert.equal((await readdir(join(bench.root, 'quarantine'))).length, 1)
  await next.rootfs.remove(bench.ctx, { key, target })
  assert.deepEqual(await bench.leftovers(), [])
  await assert.rejects(access(target))
})
