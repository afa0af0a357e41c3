import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { imageMethods, runtimeMethods } from '../../cri/grpc/methods.ts'
import { busyboxLayer } from '../../deploy/demo/busybox-image.ts'
import { buildImage, buildIndex, localPlatform } from '../../deploy/demo/image-builder.ts'
import type { LayerEntry } from '../../deploy/demo/tar-writer.ts'
import { eventually } from '../harness/eventually.ts'
import { fails } from '../harness/expect.ts'
import { mustRun } from '../harness/program.ts'
import { runRegistry } from '../harness/registry.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()

/** busybox and a layer of its own, so that each test has an image that nobody else has. */
async function imageWith(entries: readonly LayerEntry[], compression: 'gzip' | 'zstd' | 'none' = 'gzip') {
  return buildImage({ layers: [await busyboxLayer(), { entries, compression }], config: { cmd: ['sh'] } })
}

const marker = (text: string): LayerEntry => ({ type: 'file', path: 'marker', content: text })

async function status({ cri }: Story, image: string) {
  return (await cri.client.call(imageMethods.ImageStatus, { image: { image } })).image ?? undefined
}

test(
  'an image is found by tag, by digest, by id and by id prefix; one removal takes all its names',
  story(async s => {
    const image = await imageWith([marker('names')])
    const byTag = s.registry.put('e2e/names', '1', image)
    const alias = s.registry.put('e2e/alias', 'latest', image)
    const byDigest = `${s.registry.host}/e2e/names@${image.digest}`
    const id = await s.cri.pull(byTag)
    assert.equal(id, image.configDigest)
    assert.equal(await s.cri.pull(byDigest), id)
    assert.equal(await s.cri.pull(alias.replace(/:latest$/, '')), id)
    for (const reference of [byTag, byDigest, alias, id, id.slice(7, 20)]) {
      assert.equal((await status(s, reference))?.id, id, reference)
    }
    const found = await status(s, id)
    assert.deepEqual(found?.repoTags, [alias, byTag].sort())
    assert.ok(found.repoDigests?.includes(byDigest))
    assert.ok(Number(found.size) > 1_000_000)
    await s.cri.removeImage(byTag)
    assert.equal(await status(s, alias), undefined)
    await s.cri.removeImage(byTag)
  }),
)

test(
  'registry.k8s.io comes from the mirror of its hosts.toml',
  story(async s => {
    const image = await imageWith([marker('mirror')])
    s.registry.put('pause-like', '3.9', image)
    assert.equal(await s.cri.pull('registry.k8s.io/pause-like:3.9'), image.configDigest)
    assert.deepEqual((await status(s, image.configDigest))?.repoTags, ['registry.k8s.io/pause-like:3.9'])
  }),
)

test(
  'a mirror that is down is passed over for the next host',
  story(async s => {
    const image = await imageWith([marker('fallback')])
    s.registry.put('e2e/fallback', '1', image)
    const dir = join(s.scratch.certsDir, 'fallback.example')
    await mkdir(dir)
    const [down, up] = ['http://127.0.0.1:1', `http://${s.registry.host}`]
    const host = (url: string): string => `[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`
    await writeFile(join(dir, 'hosts.toml'), `server = "https://fallback.example"\n${host(down)}${host(up)}`)
    assert.equal(await s.cri.pull('fallback.example/e2e/fallback:1'), image.configDigest)
  }),
)

for (const { what, options } of [
  { what: 'Basic', options: { auth: { type: 'basic', username: 'ann', password: 's3cret' } } },
  { what: 'Bearer', options: { auth: { type: 'bearer', username: 'ann', password: 's3cret' } } },
] as const) {
  test(
    `a registry with ${what} authentication wants the right password, in either form`,
    story(async s => {
      const registry = await runRegistry(options)
      try {
        const image = await imageWith([marker(what)])
        const reference = registry.put('private/thing', '1', image)
        await assert.rejects(s.cri.pull(reference), /401|unauthorized|authenti|denied/i)
        await assert.rejects(s.cri.pull(reference, { username: 'ann', password: 'wrong' }), error => {
          assert.doesNotMatch(String(error), /wrong/, 'the password is in the message')
          return true
        })
        const id = await s.cri.pull(reference, { username: 'ann', password: 's3cret' })
        assert.equal(id, image.configDigest)
        await s.cri.removeImage(id)
        const auth = Buffer.from('ann:s3cret').toString('base64')
        assert.equal(await s.cri.pull(reference, { auth }), id)
        assert.doesNotMatch(await s.daemon.log(), /s3cret/)
      } finally {
        await registry.stop()
      }
    }),
  )
}

test(
  'an index gives the image of this platform',
  story(async s => {
    const other = { os: 'linux', architecture: localPlatform().architecture === 'arm64' ? 'amd64' : 'arm64' }
    const foreign = await buildImage({ layers: [{ entries: [marker('foreign')] }], platform: other })
    const mine = await imageWith([marker('mine')])
    for (const format of ['oci', 'docker'] as const) {
      const reference = s.registry.put('e2e/index', format, buildIndex([foreign, mine], format))
      assert.equal(await s.cri.pull(reference), mine.configDigest, format)
    }
    const lonely = s.registry.put('e2e/index', 'foreign', buildIndex([foreign]))
    await assert.rejects(s.cri.pull(lonely), /platform|architecture|amd64|arm64/)
  }),
)

for (const compression of ['gzip', 'zstd', 'none'] as const) {
  test(
    `layers in the form "${compression}" are unpacked`,
    story(async s => {
      const reference = s.registry.put(
        'e2e/layers',
        compression,
        await imageWith([marker(compression)], compression),
      )
      await s.cri.pull(reference)
      const id = await s.run(await s.runPod(), { image: reference })
      assert.equal(await s.exec(id, 'cat', '/marker'), compression)
    }),
  )
}

test(
  'a Docker image (schema 2) runs like an OCI image',
  story(async s => {
    const image = await buildImage({
      layers: [await busyboxLayer(), { entries: [marker('docker')] }],
      config: { cmd: ['sh'] },
      format: 'docker',
    })
    const reference = s.registry.put('e2e/docker', '1', image)
    await s.cri.pull(reference)
    assert.equal(
      await s.exec(await s.run(await s.runPod(), { image: reference }), 'cat', '/marker'),
      'docker',
    )
  }),
)

test(
  'whiteouts, opaque directories, links, devices, modes, owners, times and xattrs are as the layers say',
  story(async s => {
    const lower: readonly LayerEntry[] = [
      { type: 'directory', path: 'tree/' },
      { type: 'file', path: 'tree/gone', content: 'x' },
      { type: 'file', path: 'tree/stays', content: 'stays' },
      { type: 'directory', path: 'opaque/' },
      { type: 'file', path: 'opaque/old', content: 'x' },
      { type: 'file', path: 'replaced', content: 'old' },
    ]
    const upper: readonly LayerEntry[] = [
      { type: 'whiteout', path: 'tree/gone' },
      { type: 'directory', path: 'opaque/', mode: 0o711, uid: 5, gid: 6 },
      { type: 'opaque', path: 'opaque' },
      { type: 'file', path: 'opaque/new', content: 'new' },
      { type: 'file', path: 'replaced', content: 'new' },
      {
        type: 'file',
        path: 'owned',
        content: 'x',
        uid: 1234,
        gid: 4321,
        mode: 0o640,
        mtimeSeconds: 1_000_000_000,
      },
      { type: 'hardlink', path: 'hard', target: 'owned' },
      { type: 'symlink', path: 'soft', target: '/owned' },
      { type: 'file', path: 'setuid', content: 'x', mode: 0o4755 },
      { type: 'directory', path: 'sticky/', mode: 0o1777 },
      { type: 'character-device', path: 'null', major: 1, minor: 3, mode: 0o666 },
      { type: 'fifo', path: 'fifo', mode: 0o600 },
      { type: 'file', path: 'attributed', content: 'x', xattrs: { 'user.note': 'kept' } },
    ]
    const image = await buildImage({
      layers: [await busyboxLayer(), { entries: lower }, { entries: upper }],
      config: { cmd: ['sh'] },
    })
    const reference = s.registry.put('e2e/tree', '1', image)
    await s.cri.pull(reference)
    const id = await s.run(await s.runPod({ isPrivileged: true }), {
      image: reference,
      security: { privileged: true },
    })
    const stat = (format: string, path: string): Promise<string> => s.exec(id, 'stat', '-c', format, path)
    assert.equal(await s.exec(id, 'ls', '/tree', '/opaque'), '/opaque:\nnew\n\n/tree:\nstays')
    assert.equal(await stat('%a %u %g', '/opaque'), '711 5 6')
    assert.equal(await s.exec(id, 'cat', '/replaced'), 'new')
    assert.equal(await stat('%a %u %g %Y %h', '/owned'), '640 1234 4321 1000000000 2')
    assert.equal(await stat('%i', '/hard'), await stat('%i', '/owned'))
    assert.equal(await s.exec(id, 'readlink', '/soft'), '/owned')
    assert.equal(await stat('%a', '/setuid'), '4755')
    assert.equal(await stat('%a', '/sticky'), '1777')
    assert.equal(await stat('%F %t %T', '/null'), 'character special file 1 3')
    assert.equal(await stat('%F %a', '/fifo'), 'fifo 600')
    assert.equal(await xattrInside(s, id), 'kept')
  }),
)

/** busybox cannot read extended attributes: looks from outside, through the container's root. */
async function xattrInside(s: Story, containerId: string): Promise<string> {
  const { info } = await s.cri.client.call(runtimeMethods.ContainerStatus, { containerId, verbose: true })
  const { pid } = JSON.parse(info['info'] ?? '{}') as { readonly pid?: number }
  const root = `/proc/${String(pid)}/root`
  return mustRun(['getfattr', '--only-values', '-n', 'user.note', `${root}/attributed`])
}

test(
  'what a container writes is its own, and the image stays as it is',
  story(async s => {
    const pod = await s.runPod()
    const [first, second] = [await s.run(pod, { name: 'first' }), await s.run(pod, { name: 'second' })]
    await s.exec(first, 'sh', '-c', 'echo mine > /etc/passwd; rm -r /www')
    assert.match(await s.exec(second, 'cat', '/etc/passwd'), /^root:/)
    await s.exec(second, 'ls', '/www/index.html')
  }),
)

test(
  'the same image pulled five times at once is fetched once',
  story(async s => {
    const image = await imageWith([marker('together')])
    const reference = s.registry.put('e2e/together', '1', image)
    const before = s.registry.requests().length
    const ids = await Promise.all([1, 2, 3, 4, 5].map(() => s.cri.pull(reference)))
    assert.deepEqual([...new Set(ids)], [image.configDigest])
    const blobs = s.registry
      .requests()
      .slice(before)
      .filter(request => request.path.includes('/blobs/'))
    const own = blobs.filter(request => request.path.endsWith(image.layers[1]?.digest ?? '?'))
    assert.equal(own.length, 1, `${String(own.length)} requests for one layer`)
  }),
)

test(
  'different images pulled at once all arrive; simultaneous removals do not fail',
  story(async s => {
    const images = await Promise.all(['a', 'b', 'c', 'd'].map(text => imageWith([marker(text)])))
    const references = images.map((image, i) => s.registry.put('e2e/many', String(i), image))
    const ids = await Promise.all(references.map(reference => s.cri.pull(reference)))
    assert.deepEqual(
      ids,
      images.map(image => image.configDigest),
    )
    await Promise.all([...references, ...references].map(reference => s.cri.removeImage(reference)))
    for (const reference of references) assert.equal(await status(s, reference), undefined)
  }),
)

test(
  'an image that a container uses can be removed; the container runs on and its layers go with it',
  story(async s => {
    const reference = s.registry.put('e2e/used', '1', await imageWith([marker('used')]))
    const imageId = await s.cri.pull(reference)
    const pod = await s.runPod()
    const id = await s.run(pod, { image: reference })
    await s.cri.removeImage(imageId)
    assert.equal(await s.exec(id, 'cat', '/marker'), 'used')
    await fails(s.create(pod, { name: 'late', image: reference }), 'notFound', /e2e\/used/)
    await s.cri.removePod(pod.id)
  }),
)

test(
  'figures of the image file system answer at once and grow with an image',
  story(async s => {
    const used = async (): Promise<number> => {
      const { imageFilesystems } = await s.cri.client.call(imageMethods.ImageFsInfo, {}, { timeoutMs: 2_000 })
      assert.ok(imageFilesystems[0]?.fsId?.mountpoint?.startsWith('/'))
      return Number(imageFilesystems[0]?.usedBytes?.value)
    }
    const before = await used()
    const content = Buffer.alloc(3_000_000, 'x')
    const reference = s.registry.put(
      'e2e/big',
      '1',
      await imageWith([{ type: 'file', path: 'big', content }]),
    )
    await s.cri.pull(reference)
    await eventually('the figure grows', async () => (await used()) >= before + content.length)
  }),
)
