import assert from 'node:assert/strict'
import { lstat, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { buildLayer, digestOf } from './image-builder.ts'
import { type LayerEntry, paxHeader, tarContent, tarHeader, writeTar } from './tar-writer.ts'
import { createUnpacker, runUnpack, type UnpackOptions, unpackFlags } from './testing/unpacker.ts'

const unpacker = await createUnpacker()
const { base } = unpacker

after(() => unpacker.remove())

const file = (path: string, content = 'x'): LayerEntry => ({ type: 'file', path, content })
const link = (path: string, target: string): LayerEntry => ({ type: 'symlink', path, target })
const deep = Array.from({ length: 400 }, () => 'd').join('/')

const trees: readonly {
  readonly name: string
  readonly entries: readonly LayerEntry[]
  readonly tree: readonly string[]
}[] = [
  {
    name: 'paths with .. and absolute paths stay inside',
    entries: [file('../../victim', 'up'), file('/../../outer', 'abs'), file('a/../../b/./c', 'c')],
    tree: ['d b', '- b/c c', '- outer abs', '- victim up'],
  },
  {
    name: 'links to the outside are followed inside',
    entries: [link('up', '../..'), link('root', '/'), file('up/victim', '1'), file('root/etc/passwd', '2')],
    tree: ['d etc', '- etc/passwd 2', 'l root /', 'l up ../..', '- victim 1'],
  },
  {
    name: 'a link is replaced, never written through',
    entries: [link('victim', '../../victim'), file('victim', 'mine')],
    tree: ['- victim mine'],
  },
  {
    name: 'a directory that becomes a link takes its files with it, later ones go where the link leads',
    entries: [file('a/x', '1'), link('a', '/b'), file('a/y', '2')],
    tree: ['l a /b', 'd b', '- b/y 2'],
  },
  {
    name: 'whiteouts and opaque directories take the form of overlayfs',
    entries: [{ type: 'whiteout', path: 'etc/gone' }, { type: 'opaque', path: 'etc' }, file('etc/kept')],
    tree: ['d etc', 'w etc/gone', '- etc/kept x'],
  },
  {
    name: 'a whiteout of what the layer brings itself leaves it',
    entries: [
      file('a', '1'),
      { type: 'whiteout', path: 'a' },
      { type: 'whiteout', path: 'b' },
      file('b', '2'),
    ],
    tree: ['- a 1', '- b 2'],
  },
  {
    name: 'nodes of every type',
    entries: [
      { type: 'character-device', path: 'null', major: 1, minor: 3 },
      { type: 'block-device', path: 'disk', major: 8, minor: 1 },
      { type: 'fifo', path: 'pipe' },
      file('f', '1'),
      { type: 'hardlink', path: 'h', target: 'f' },
    ],
    tree: ['b disk', '- f 1', '- h 1', 'c null', 'p pipe'],
  },
  {
    name: 'the same path again: the last one wins, even over a full directory',
    entries: [file('a/b/c'), file('a/d'), file('a', 'flat'), file('f', '1'), file('f', '2')],
    tree: ['- a flat', '- f 2'],
  },
  {
    name: 'long names and names that are not ASCII',
    entries: [file(`${'n'.repeat(200)}/ü`, '1'), link('l', 't'.repeat(300))],
    tree: [`l l ${'t'.repeat(300)}`, `d ${'n'.repeat(200)}`, `- ${'n'.repeat(200)}/ü 1`],
  },
  {
    name: 'global pax headers hold for all that follows',
    entries: [{ type: 'raw', bytes: paxHeader([['comment', 'made by a test']], 'g') }, file('a', '1')],
    tree: ['- a 1'],
  },
]

for (const { name, entries, tree } of trees) {
  test(name, async () => {
    const unpacked = await unpacker.unpack(writeTar(entries))
    assert.equal(unpacked.stderr, '')
    assert.equal(unpacked.exitCode, 0)
    assert.deepEqual(unpacked.tree, tree)
  })
}

const refused: readonly {
  readonly name: string
  readonly blob: Uint8Array
  readonly options?: UnpackOptions
  readonly message: RegExp
}[] = [
  {
    name: 'a hard link to a file outside',
    blob: writeTar([{ type: 'hardlink', path: 'h', target: '../../victim' }]),
    message: /^entry "h": cannot link to "victim": No such file/,
  },
  {
    name: 'a hard link through a link to the outside',
    blob: writeTar([link('up', '../..'), { type: 'hardlink', path: 'h', target: 'up/victim' }]),
    message: /^entry "h": cannot link to "victim": No such file/,
  },
  {
    name: 'a path that is longer than the kernel takes',
    blob: writeTar([file('p/'.repeat(2100))]),
    message: /longer than 4095 bytes/,
  },
  {
    name: 'a name that is longer than the file system takes',
    blob: writeTar([file('n'.repeat(256))]),
    message: /^entry "n+\.\.\.": cannot make it: File name too long/,
  },
  {
    name: 'a whiteout of the parent directory',
    blob: writeTar([file('a/.wh...')]),
    message: /^entry "a\/\.wh\.\.\.": a whiteout that names nothing/,
  },
  {
    name: 'a pax header of more than 1 MiB',
    blob: writeTar([{ type: 'raw', bytes: paxHeader([['comment', 'c'.repeat(1 << 20)]]) }, file('a')]),
    message: /more than 1048576 bytes/,
  },
  {
    name: 'an entry of unknown type, with control characters in its name',
    blob: tarHeader({ name: 'a\nb', typeFlag: 'V' }),
    message: /^entry "a\\012b": an entry of unknown type 86\n$/,
  },
  {
    name: 'a damaged header',
    blob: tarHeader({ name: 'a', typeFlag: '0' }).fill('b', 0, 1),
    message: /the checksum of a header is wrong/,
  },
  {
    name: 'content that is cut off',
    blob: Buffer.concat([tarHeader({ name: 'cut', typeFlag: '0', size: 2000 }), tarContent('short')]),
    message: /^entry "cut": the archive ends too early/,
  },
  {
    name: 'more content than allowed',
    blob: writeTar([file('a', 'a'.repeat(60)), file('b', 'b'.repeat(60))]),
    options: { maxBytes: 100 },
    message: /^entry "b": the layer has more than 100 bytes/,
  },
  {
    name: 'more files than allowed',
    blob: writeTar([file('a/b/c')]),
    options: { maxInodes: 2 },
    message: /^entry "a\/b\/c": the layer has more than 2 files/,
  },
  {
    name: 'a bomb of zeros behind the end',
    blob: gzipSync(Buffer.alloc(64 << 20)),
    options: { maxBytes: 1 << 20, maxInodes: 10, compression: 'gzip' },
    message: /larger than its limits allow/,
  },
  {
    name: 'gzip that is cut off',
    blob: gzipSync(writeTar([file('a', 'content')])).subarray(0, -10),
    options: { compression: 'gzip' },
    message: /the blob is cut off/,
  },
  {
    name: 'a blob that is not gzip',
    blob: writeTar([file('a')]),
    options: { compression: 'gzip' },
    message: /not sound gzip/,
  },
  {
    name: 'too many directories without an entry to report them all',
    blob: writeTar(Array.from({ length: 200 }, (_, i) => file(`${i}-${'n'.repeat(100)}/${deep}/${deep}/f`))),
    options: { maxInodes: 1e6 },
    message: /too many directories without an entry of their own/,
  },
]

for (const { name, blob, options, message } of refused) {
  test(`refused: ${name}`, async () => {
    const unpacked = await unpacker.unpack(blob, options)
    assert.equal(unpacked.exitCode, 1)
    assert.match(unpacked.stderr, message)
    assert.equal(unpacked.stderr.trimEnd().split('\n').length, 1)
    assert.equal(unpacked.stdout, '')
  })
}

for (const compression of ['none', 'gzip', 'zstd'] as const) {
  test(`the report of a layer in ${compression}`, async () => {
    const entries = [file('a/b\n', 'hello'), file('c', 'world')]
    const layer = await buildLayer({ entries, compression })
    const unpacked = await unpacker.unpack(layer.bytes, { compression })
    assert.equal(unpacked.stderr, '')
    assert.deepEqual(unpacked.stdout.split('\n'), [
      `diff-id ${layer.diffId}`,
      `blob ${layer.digest}`,
      'bytes 10',
      'inodes 3',
      'implicit a',
      '',
    ])
  })
}

test('names cannot forge lines of the report', async () => {
  const unpacked = await unpacker.unpack(writeTar([file('a\nblob sha256:00/x')]))
  assert.equal(unpacked.exitCode, 0)
  assert.match(unpacked.stdout, /\nimplicit a\\012blob sha256:00\n$/)
})

test('several gzip members are one stream', async () => {
  const tar = writeTar([file('a', 'x'.repeat(5000))])
  const blob = Buffer.concat([0, 1000, 3000].map((at, i) => gzipSync(tar.subarray(at, [1000, 3000][i]))))
  const unpacked = await unpacker.unpack(blob, { compression: 'gzip' })
  assert.match(unpacked.stdout, new RegExp(`^diff-id ${digestOf(tar)}\nblob ${digestOf(blob)}\n`))
})

test('sparse files take no room for their holes', async () => {
  const holes = paxHeader([
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 'sparse'],
    ['GNU.sparse.realsize', String(1e12)],
  ])
  const content = Buffer.concat([tarContent(`1\n500000000000\n4\n`), Buffer.from('data')])
  const header = tarHeader({ name: 'GNUSparseFile/sparse', typeFlag: '0', size: content.byteLength })
  const bytes = Buffer.concat([holes, header, tarContent(content)])
  const unpacked = await unpacker.unpack(writeTar([{ type: 'raw', bytes }]), { maxBytes: 1000 })
  assert.equal(unpacked.stderr, '')
  assert.match(unpacked.stdout, /\nbytes 4\n/)
  assert.match(unpacked.tree.join(), /^- sparse of 1000000000000 bytes in \d{1,2} blocks$/)
})

test('owner, mode and time, also of links and directories', async () => {
  const attributes = { uid: 3_000_000, gid: 20, mode: 0o6751, mtimeSeconds: 1_234_567_890.25 }
  const entries: LayerEntry[] = [
    { type: 'directory', path: 'd', ...attributes },
    { type: 'file', path: 'd/f', content: 'x', ...attributes },
    { type: 'symlink', path: 'd/l', target: 'f', ...attributes },
  ]
  const { directory, stderr } = await unpacker.unpack(writeTar(entries))
  assert.equal(stderr, '')
  for (const [path, mode] of [
    ['d', 0o6751],
    ['d/f', 0o6751],
    ['d/l', 0o777],
  ] as const) {
    const stat = await lstat(join(directory, path))
    assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o7777], [3_000_000, 20, mode])
    assert.equal(stat.mtimeMs, 1_234_567_890_250)
  }
})

test('a destination that is not empty is left alone', async () => {
  const directory = join(base, 'full')
  await mkdir(directory)
  await writeFile(join(directory, 'there'), 'before')
  await writeFile(join(base, 'blob'), writeTar([file('there', 'after')]))
  const run = await runUnpack(unpackFlags({ blobPath: join(base, 'blob'), directory }))
  assert.equal(run.exitCode, 1)
  assert.match(run.stderr, /is not empty/)
  assert.equal(await readFile(join(directory, 'there'), 'utf8'), 'before')
})
