import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { RuntimeError } from '#base/errors'
import { parseDigest } from '#base/ids'
import { silentLog } from '#base/log'
import { type Program, type ProgramResult, programLimits } from '#base/programs'
import { chainIdsOf } from './chain-ids.ts'
import { syncFileSystem, unpackLayer } from './unpack-layer.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }
const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
const diffId = parseDigest(`sha256:${'b'.repeat(64)}`)
const sound = `diff-id ${diffId}\nblob ${digest}\nbytes 10\ninodes 2\n`
let directory: string

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lighter-unpack-'))
})

after(() => rm(directory, { recursive: true }))

/** A host whose only program says what it is told. */
function saying(result: Partial<{ exitCode: number; stdout: string; stderr: string }>) {
  const programs: Program[] = []
  const run = (_: unknown, program: Program): Promise<ProgramResult> => {
    programs.push(program)
    const { exitCode = 0, stdout = '', stderr = '' } = result
    return Promise.resolve({ exitCode, stdout: Buffer.from(stdout, 'latin1'), stderr: Buffer.from(stderr) })
  }
  return { host: { run }, unpackProgram: '/bin/lighter-unpack', programs }
}

async function unpack(programs: ReturnType<typeof saying>, head: Buffer = Buffer.alloc(0)) {
  const blobPath = join(directory, 'blob')
  await writeFile(blobPath, head)
  const input = { blobPath, digest, diffId, directory: '/dest', maxBytes: 7, maxInodes: 8 }
  return unpackLayer(ctx, programs, input)
}

const heads: readonly (readonly [string, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 8, 0])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['none', Buffer.from('etc/passwd')],
  ['none', Buffer.from([0x1f])],
]

for (const [compression, head] of heads) {
  test(`a blob that begins with ${head.toString('hex')} is unpacked as ${compression}`, async () => {
    const programs = saying({ stdout: sound })
    await unpack(programs, head)
    assert.deepEqual(programs.programs[0]?.argv, [
      '/bin/lighter-unpack',
      ...['--blob', join(directory, 'blob'), '--dest', '/dest', '--compression', compression],
      ...['--max-bytes', '7', '--max-inodes', '8'],
    ])
  })
}

test('implicit directories are unquoted, and cannot forge the figures', async () => {
  const stdout = `${sound}implicit a\\012b\\134\nimplicit \xff\nbytes 99\n`
  assert.deepEqual(await unpack(saying({ stdout })).then(layer => [layer.bytes, layer.implicitDirectories]), [
    10,
    ['a\nb\\', '\xff'],
  ])
})

const failures: readonly (readonly [string, Parameters<typeof saying>[0], string])[] = [
  ['another diff id', { stdout: sound.replaceAll('b'.repeat(64), 'c'.repeat(64)) }, 'data-loss'],
  ['another blob', { stdout: sound.replaceAll('a'.repeat(64), 'c'.repeat(64)) }, 'data-loss'],
  ['nothing', {}, 'internal'],
  ['no number of bytes', { stdout: sound.replace('10', 'many') }, 'internal'],
  [
    'a full disk',
    { exitCode: 1, stderr: '"a": cannot write it: No space left on device' },
    'resource-exhausted',
  ],
  ['a limit', { exitCode: 1, stderr: 'the layer has more than 7 bytes' }, 'resource-exhausted'],
  ['a broken tar', { exitCode: 1, stderr: '"a": checksum' }, 'failed-precondition'],
  ['a crash', { exitCode: 139 }, 'failed-precondition'],
  [
    'too much',
    { stdout: sound + 'implicit a\n'.repeat(programLimits.outputBytes / 10) },
    'resource-exhausted',
  ],
]

for (const [name, result, kind] of failures) {
  test(`unpacking that tells of ${name} is ${kind}`, async () => {
    await assert.rejects(unpack(saying(result)), (err: unknown) => {
      assert.ok(err instanceof RuntimeError)
      assert.equal(err.kind, kind, err.message)
      assert.ok(err.message.includes(digest))
      return true
    })
  })
}

test('a sync that fails, or has no program, is an error', async () => {
  await syncFileSystem(ctx, saying({}).host, '/dir')
  await assert.rejects(syncFileSystem(ctx, saying({ exitCode: 1, stderr: 'no' }).host, '/dir'), {
    kind: 'internal',
  })
  const missing = { run: () => Promise.reject(new RuntimeError('not-found', 'no /bin/sync')) }
  await assert.rejects(syncFileSystem(ctx, missing, '/dir'), { kind: 'unavailable', message: /coreutils/ })
})

test('chain ids are those of the specification', () => {
  const one = parseDigest('sha256:1111111111111111111111111111111111111111111111111111111111111111')
  const two = parseDigest('sha256:2222222222222222222222222222222222222222222222222222222222222222')
  assert.deepEqual(chainIdsOf([]), [])
  // printf 'sha256:1111… sha256:2222…' | sha256sum
  assert.deepEqual(chainIdsOf([one, two]), [
    one,
    'sha256:9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5',
  ])
})
