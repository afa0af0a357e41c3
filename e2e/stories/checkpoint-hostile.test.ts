import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { pathExists } from '#base/files'
import { grpcCode } from '../../cri/grpc/status.ts'
import { type LayerEntry, writeTar } from '../../deploy/demo/tar-writer.ts'
import { criuConfig, whyNoCriu } from '../harness/criu.ts'
import { useWorld } from '../harness/world.ts'

const skip = await whyNoCriu()
const mebibyte = 1024 * 1024
const story = useWorld({
  config: `${criuConfig}limits: {layerBytes: ${String(32 * mebibyte)}, layerInodes: 3000}\n`,
})

const file = (path: string, content: string | Uint8Array = ''): LayerEntry => ({
  type: 'file',
  path,
  content,
})

const spec = JSON.stringify({
  process: { terminal: false, args: ['sh'], env: [], cwd: '/', user: { uid: 0, gid: 0 } },
  mounts: [],
  linux: { namespaces: [] },
})

const images = ['inventory.img', 'pstree.img', 'descriptors.json'].map(name => file(`checkpoint/${name}`))
const config = (image: string): LayerEntry =>
  file('config.dump', JSON.stringify({ id: 'x', name: 'main', rootfsImageRef: image }))

/** An archive that has all that it needs, but for what is wrong with it. */
const whole = (image: string): readonly LayerEntry[] => [config(image), file('spec.dump', spec), ...images]

type Archive = (image: string) => Uint8Array

const without =
  (name: string): Archive =>
  image =>
    writeTar(whole(image).filter(entry => !('path' in entry) || entry.path !== name))

const withMore =
  (...more: readonly LayerEntry[]): Archive =>
  image =>
    writeTar([...whole(image), ...more])

const cases: readonly [string, number, RegExp, Archive][] = [
  ['garbage', grpcCode.invalidArgument, /cannot unpack/, () => Buffer.from('no tar at all'.repeat(1000))],
  [
    'half a gzip',
    grpcCode.invalidArgument,
    /cannot unpack/,
    i => gzipSync(writeTar(whole(i))).subarray(0, 90),
  ],
  ['an empty tar', grpcCode.invalidArgument, /config\.dump/, () => writeTar([])],
  ['no spec', grpcCode.invalidArgument, /spec\.dump/, without('spec.dump')],
  ['no inventory', grpcCode.invalidArgument, /inventory\.img/, without('checkpoint/inventory.img')],
  [
    'an image that nobody has',
    grpcCode.notFound,
    /needs image "nobody\/has:it": pull it first/,
    () => writeTar(whole('nobody/has:it')),
  ],
  ['mounts that the config has not', grpcCode.invalidArgument, /mount/, image => writeTar(whole(image))],
  [
    'a config that is no JSON',
    grpcCode.invalidArgument,
    /config\.dump cannot be read/,
    image => writeTar([...whole(image).slice(1), file('config.dump', '{')]),
  ],
  [
    'a config that is a link to a secret',
    grpcCode.invalidArgument,
    /symbolic link/,
    image =>
      writeTar([...whole(image).slice(1), { type: 'symlink', path: 'config.dump', target: '/etc/shadow' }]),
  ],
  [
    'a spec that is a FIFO',
    grpcCode.invalidArgument,
    /not a regular file/,
    image => writeTar([config(image), ...images, { type: 'fifo', path: 'spec.dump' }]),
  ],
  [
    'images behind a link',
    grpcCode.invalidArgument,
    /no directory "checkpoint"/,
    image =>
      writeTar([
        config(image),
        file('spec.dump', spec),
        { type: 'symlink', path: 'checkpoint', target: '/etc' },
      ]),
  ],
  [
    'an image that is a link',
    grpcCode.invalidArgument,
    /"checkpoint\/core-1\.img" is not a plain file/,
    withMore({ type: 'symlink', path: 'checkpoint/core-1.img', target: '/etc/shadow' }),
  ],
  [
    'deleted files that climb out',
    grpcCode.invalidArgument,
    /deleted files has "\.\.\/\.\./,
    withMore(file('deleted.files', '["../../canary"]')),
  ],
  [
    'deleted files that are no list',
    grpcCode.invalidArgument,
    /deleted\.files cannot be read/,
    withMore(file('deleted.files', '{"a": 1}')),
  ],
  [
    'more bytes than may be',
    grpcCode.resourceExhausted,
    /cannot unpack/,
    withMore(file('checkpoint/pages-1.img', Buffer.alloc(33 * mebibyte))),
  ],
  [
    'more files than may be',
    grpcCode.resourceExhausted,
    /cannot unpack/,
    withMore(...Array.from({ length: 3001 }, (_, index) => file(`checkpoint/${String(index)}`))),
  ],
  [
    'changed files that are more than may be',
    grpcCode.resourceExhausted,
    /cannot unpack/,
    withMore(file('rootfs-diff.tar', gzipSync(writeTar([file('big', Buffer.alloc(33 * mebibyte))])))),
  ],
]

for (const [what, code, details, archive] of cases) {
  test(
    `a checkpoint archive with ${what} is refused, and nothing is left`,
    { skip },
    story(async s => {
      const pod = await s.runPod()
      const path = join(s.scratch.dir, 'hostile.tar')
      const canary = join(s.scratch.dir, 'canary')
      await writeFile(canary, '')
      await writeFile(path, archive(s.registry.busybox))
      await assert.rejects(s.create(pod, { image: path }), { code, details })
      assert.ok(await pathExists(canary))
      assert.deepEqual(await s.cri.listContainers(), [])
    }),
  )
}

test(
  'entries that lead out of the archive stay inside',
  { skip },
  story(async s => {
    const pod = await s.runPod()
    const path = join(s.scratch.dir, 'escape.tar')
    const outside = join(s.scratch.dir, 'outside')
    await mkdir(outside)
    const escapes: readonly LayerEntry[] = [
      file(`../../../../../../../../..${outside}/dots`),
      file(`${outside}/absolute`),
      { type: 'symlink', path: 'way', target: outside },
      file('way/through'),
    ]
    const changes = file('rootfs-diff.tar', writeTar(escapes))
    for (const entries of [
      [...whole(s.registry.busybox), ...escapes],
      [...whole(s.registry.busybox), changes],
    ]) {
      await writeFile(path, writeTar(entries))
      await assert.rejects(s.create(pod, { image: path }), { code: grpcCode.invalidArgument })
      for (const name of ['dots', 'absolute', 'through']) {
        assert.equal(await pathExists(join(outside, name)), false, name)
      }
    }
  }),
)

test(
  'an image that is a path to something else is no checkpoint',
  { skip },
  story(async s => {
    const pod = await s.runPod()
    await assert.rejects(s.create(pod, { image: '/nowhere/a.tar' }), { code: grpcCode.notFound })
    await assert.rejects(s.create(pod, { image: '/etc' }), { code: grpcCode.invalidArgument })
    await assert.rejects(s.create(pod, { image: '/dev/zero' }), { code: grpcCode.invalidArgument })
  }),
)
