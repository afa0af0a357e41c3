import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { busyboxImage, webPage, webServerImage } from './busybox-image.ts'
import { type BuiltImage, buildImage, buildIndex, digestOf, type ImageSpec } from './image-builder.ts'
import { layerTime, writeTar } from './tar-writer.ts'

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platform?: unknown
}

interface Manifest {
  readonly mediaType: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly manifests: readonly Descriptor[]
}

interface Config {
  readonly os: string
  readonly architecture: string
  readonly config: Readonly<Record<string, unknown>>
  readonly rootfs: { readonly diff_ids: readonly string[] }
}

function manifestOf(image: BuiltImage): Manifest {
  return JSON.parse(image.manifest.toString()) as Manifest
}

function configOf(image: BuiltImage): Config {
  return JSON.parse((image.blobs.get(image.configDigest) ?? Buffer.from('{}')).toString()) as Config
}

const spec: ImageSpec = {
  layers: [
    { entries: [{ type: 'file', path: 'a', content: 'first' }] },
    { entries: [{ type: 'whiteout', path: 'a' }], compression: 'zstd' },
    { entries: [{ type: 'directory', path: 'b' }], compression: 'none' },
  ],
  config: {
    user: 'alice',
    env: ['A=b'],
    entrypoint: ['/bin/a'],
    cmd: ['b'],
    workingDir: '/b',
    stopSignal: 'SIGINT',
    volumes: ['/data'],
    labels: { of: 'test' },
    exposedPorts: ['80/tcp'],
  },
  platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
}

test('descriptors name what the blobs are, diff ids what the layers unpack to', async () => {
  const image = await buildImage(spec)
  const manifest = manifestOf(image)
  assert.equal(digestOf(image.manifest), image.digest)
  for (const { digest, size } of [manifest.config, ...manifest.layers]) {
    const blob = image.blobs.get(digest) ?? Buffer.alloc(0)
    assert.deepEqual([digestOf(blob), blob.byteLength], [digest, size])
  }
  const tars = spec.layers.map(layer => digestOf(writeTar(layer.entries)))
  assert.deepEqual(configOf(image).rootfs.diff_ids, tars)
  assert.equal(digestOf(gunzipSync(image.layers[0]?.bytes ?? Buffer.alloc(0))), tars[0])
})

test('the config says what a container is made from', async () => {
  const { os, architecture, config } = configOf(await buildImage(spec))
  assert.deepEqual([os, architecture], ['linux', 'arm64'])
  assert.deepEqual(config, {
    User: 'alice',
    Env: ['A=b'],
    Entrypoint: ['/bin/a'],
    Cmd: ['b'],
    WorkingDir: '/b',
    StopSignal: 'SIGINT',
    Volumes: { '/data': {} },
    ExposedPorts: { '80/tcp': {} },
    Labels: { of: 'test' },
  })
})

test('media types of both formats', async () => {
  const suffixes = (image: BuiltImage) =>
    [image.mediaType, ...manifestOf(image).layers.map(layer => layer.mediaType)].map(type =>
      type.replace(/^application\/vnd\./, ''),
    )
  assert.deepEqual(suffixes(await buildImage(spec)), [
    'oci.image.manifest.v1+json',
    'oci.image.layer.v1.tar+gzip',
    'oci.image.layer.v1.tar+zstd',
    'oci.image.layer.v1.tar',
  ])
  assert.deepEqual(suffixes(await buildImage({ ...spec, format: 'docker' })), [
    'docker.distribution.manifest.v2+json',
    'docker.image.rootfs.diff.tar.gzip',
    'docker.image.rootfs.diff.tar.zstd',
    'docker.image.rootfs.diff.tar',
  ])
})

test('an index names its images with their platforms', async () => {
  const [arm, other] = [await buildImage(spec), await buildImage({ layers: [] })]
  const index = buildIndex([arm, other], 'docker')
  assert.equal(manifestOf(index).mediaType, 'application/vnd.docker.distribution.manifest.list.v2+json')
  assert.deepEqual(
    manifestOf(index).manifests.map(({ digest, platform }) => [digest, platform]),
    [arm, other].map(({ digest, platform }) => [digest, platform]),
  )
})

test('the same image built twice is the same', async () => {
  assert.equal((await buildImage(spec)).digest, (await buildImage(spec)).digest)
  assert.equal((await busyboxImage()).digest, (await busyboxImage()).digest)
})

test('the web server is busybox with another command, on the same layer', async () => {
  const [busybox, webServer] = [await busyboxImage(), await webServerImage()]
  assert.deepEqual(
    webServer.layers.map(layer => layer.digest),
    busybox.layers.map(layer => layer.digest),
  )
  assert.notEqual(webServer.configDigest, busybox.configDigest)
})

test('GNU tar reads the layer of busybox: applets are hard links, users and page are there', async () => {
  const image = await busyboxImage()
  const listed = await tar(['-tvzf', '-', '--numeric-owner'], image.layers[0]?.bytes)
  assert.match(listed, /^hrwxr-xr-x 0\/0 +0 .* bin\/sh link to bin\/busybox$/m)
  assert.match(listed, /^drwxrwxrwt 0\/0 .* tmp\/$/m)
  assert.match(listed, /^drwxr-x--- 1000\/1000 .* home\/alice\/$/m)
  assert.equal(await tar(['-xzOf', '-', 'www/index.html'], image.layers[0]?.bytes), webPage)
  assert.match(await tar(['-xzOf', '-', 'etc/group'], image.layers[0]?.bytes), /^wheel:x:10:alice$/m)
})

test('GNU tar reads what needs pax headers', async () => {
  const long = 'n'.repeat(150)
  const archive = writeTar([
    { type: 'file', path: `${long}/ü`, content: 'x', uid: 3_000_000, gid: 4_000_000_000 },
    { type: 'symlink', path: 'l', target: long, mtimeSeconds: layerTime + 0.5 },
    { type: 'character-device', path: 'c', major: 200, minor: 300 },
  ])
  const listed = await tar(
    ['-tvf', '-', '--numeric-owner', '--quoting-style=literal', '--full-time'],
    archive,
  )
  const lines = listed.split('\n').map(line => line.replace(/ +/g, ' '))
  assert.deepEqual(lines, [
    `-rw-r--r-- 3000000/4000000000 1 2023-11-14 22:13:20 ${long}/ü`,
    `lrw-r--r-- 0/0 0 2023-11-14 22:13:20.5 l -> ${long}`,
    'crw-r--r-- 0/0 200,300 2023-11-14 22:13:20 c',
    '',
  ])
})

async function tar(flags: readonly string[], archive: Buffer = Buffer.alloc(0)): Promise<string> {
  const child = spawn('tar', flags, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(archive)
  const code = await new Promise(resolve => child.on('close', resolve))
  assert.equal(code, 0, `tar ${flags.join(' ')}`)
  return Buffer.concat(chunks).toString()
}
