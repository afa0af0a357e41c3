import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { testCtx } from '../testing/container-bench.ts'
import { deletePaths } from './delete-paths.ts'

async function deleted(t: TestContext, paths: readonly string[]): Promise<readonly string[]> {
  const root = await mkdtemp(join(tmpdir(), 'delete-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  await mkdir(join(root, 'etc'))
  await writeFile(join(root, 'etc/passwd'), '')
  await symlink('/etc', join(root, 'way'))
  const asked: string[] = []
  const host = {
    removeTree: (_ctx: unknown, trees: readonly string[]): Promise<void> => {
      asked.push(...trees.map(tree => tree.slice(root.length)))
      return Promise.resolve()
    },
  }
  await deletePaths(testCtx, host, { root, paths })
  return asked
}

const cases: readonly [string, readonly string[], readonly string[]][] = [
  [
    'relative and absolute paths are in the root',
    ['etc/passwd', '/etc/group'],
    ['/etc/passwd', '/etc/group'],
  ],
  ['a path that leads over a link is passed over', ['way/passwd', 'etc/passwd/x'], []],
  ['a link itself can be deleted', ['way'], ['/way']],
  ['one whose directory is not there is passed over', ['nowhere/file'], []],
  ['the root itself is not deleted', ['/', '.', ''], []],
]

for (const [what, paths, wanted] of cases) {
  test(`deleting files: ${what}`, async t => {
    assert.deepEqual(await deleted(t, paths), wanted)
  })
}

for (const path of ['../x', 'etc/../../x', '..', 'a\0b']) {
  test(`deleting files: ${JSON.stringify(path)} is refused`, async t => {
    await assert.rejects(deleted(t, [path]), { kind: 'invalid-argument' })
  })
}

test('deleting files: many go in several requests', async t => {
  const paths = Array.from({ length: 600 }, (_, index) => `etc/${index}`)
  assert.equal((await deleted(t, paths)).length, 600)
})
