import assert from 'node:assert/strict'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { type LayerEntry, writeTar } from './tar-writer.ts'
import { createUnpacker } from './testing/unpacker.ts'

const unpacker = await createUnpacker()

after(() => unpacker.remove())

// Few names, so that entries meet: replace each other, go through each other's links, hide each other.
const name = fc.constantFrom('a', 'b', 'c', '..', '.', '')
const path = fc
  .tuple(fc.constantFrom('', '/', '../', './'), fc.array(name, { minLength: 1, maxLength: 4 }))
  .map(([start, names]) => start + names.join('/'))
const attributes = fc.record({
  mode: fc.constantFrom(0o755, 0o2775, 0o6711, 0),
  uid: fc.constantFrom(0, 1000),
  gid: fc.constantFrom(0, 20),
})

const entry: fc.Arbitrary<LayerEntry> = fc.oneof(
  fc.record({ type: fc.constant('file' as const), path, content: fc.constantFrom('', 'x', 'y'.repeat(600)) }),
  fc
    .record({ type: fc.constantFrom('directory' as const, 'fifo' as const), path, attributes })
    .map(({ attributes: given, ...rest }) => ({ ...rest, ...given })),
  fc.record({ type: fc.constantFrom('symlink' as const, 'hardlink' as const), path, target: path }),
  fc.record({
    type: fc.constantFrom('character-device' as const, 'block-device' as const),
    path,
    major: fc.constantFrom(0, 1),
    minor: fc.constantFrom(0, 3),
  }),
  fc.record({ type: fc.constantFrom('whiteout' as const, 'opaque' as const), path }),
)

/** Inode numbers of everything below the directory. */
async function inodesBelow(directory: string): Promise<readonly number[]> {
  const inodes: number[] = []
  for (const below of await readdir(directory)) {
    const stat = await lstat(join(directory, below))
    inodes.push(stat.ino)
    if (stat.isDirectory()) inodes.push(...(await inodesBelow(join(directory, below))))
  }
  return inodes
}

test('any layer: nothing outside is touched, and the report tells what is there', async () => {
  const results = { unpacked: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 12 }), async entries => {
      const { exitCode, stdout, stderr, directory } = await unpacker.unpack(writeTar(entries))
      if (exitCode !== 0) {
        assert.equal(exitCode, 1)
        assert.match(stderr, /^entry "[^\n]*": [^\n]+\n$/)
        results.refused++
        return
      }
      const inodes = new Set(await inodesBelow(directory))
      assert.equal(Number(/^inodes (\d+)$/m.exec(stdout)?.[1]), inodes.size)
      for (const [, implicit] of stdout.matchAll(/^implicit (.*)$/gm)) {
        const stat = await lstat(join(directory, implicit ?? ''))
        assert.ok(stat.isDirectory())
        assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid], [0o755, 0, 0])
      }
      results.unpacked++
    }),
    { numRuns: 200 },
  )
  // Otherwise the property has become empty.
  assert.ok(results.unpacked > 20 && results.refused > 20, JSON.stringify(results))
})
