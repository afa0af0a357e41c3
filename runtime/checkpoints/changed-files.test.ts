import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { listChangedFiles } from './changed-files.ts'

type Tree = readonly string[]

/** A trailing slash makes a directory, `a -> b` a link, anything else a file. */
async function plant(root: string, tree: Tree): Promise<void> {
  await mkdir(root, { recursive: true })
  for (const entry of tree) {
    const [path = '', target] = entry.split(' -> ')
    if (target !== undefined) await symlink(target, join(root, path))
    else if (path.endsWith('/')) await mkdir(join(root, path), { recursive: true })
    else await writeFile(join(root, path), '')
  }
}

async function changes(
  t: TestContext,
  trees: { readonly upper: Tree; readonly merged: Tree; readonly layers: readonly Tree[] },
): Promise<{ readonly changed: readonly string[]; readonly deleted: readonly string[] }> {
  const base = await mkdtemp(join(tmpdir(), 'changes-'))
  t.after(() => rm(base, { recursive: true, force: true }))
  await plant(join(base, 'upper'), trees.upper)
  await plant(join(base, 'merged'), trees.merged)
  const layers = trees.layers.map((_, index) => join(base, `layer${index}`))
  for (const [index, tree] of trees.layers.entries()) await plant(layers[index] ?? '', tree)
  const list = join(base, 'list')
  const deleted = await listChangedFiles(
    { upper: join(base, 'upper'), merged: join(base, 'merged'), layers },
    list,
  )
  const names = (await readFile(list, 'utf8')).split('\0').slice(0, -1)
  return { changed: names.sort(), deleted: [...deleted].sort() }
}

test('what is in the writable layer has changed, parents included; what cannot be seen any more is deleted', async t => {
  assert.deepEqual(
    await changes(t, {
      upper: ['etc/', 'etc/new', 'etc/old', 'gone'],
      merged: ['etc/', 'etc/new', 'etc/kept', 'bin/', 'bin/sh'],
      layers: [['etc/', 'etc/kept', 'etc/old', 'gone', 'bin/', 'bin/sh']],
    }),
    { changed: ['etc', 'etc/new'], deleted: ['etc/old', 'gone'] },
  )
})

test('a directory that was made anew hides what all layers had in it', async t => {
  assert.deepEqual(
    await changes(t, {
      upper: ['a/', 'a/mine'],
      merged: ['a/', 'a/mine'],
      layers: [
        ['a/', 'a/top'],
        ['a/', 'a/bottom', 'a/deep/', 'a/deep/file'],
      ],
    }),
    { changed: ['a', 'a/mine'], deleted: ['a/bottom', 'a/deep', 'a/top'] },
  )
})

test('a link in a layer is not followed', async t => {
  assert.deepEqual(
    await changes(t, {
      upper: ['a/', 'a/mine'],
      merged: ['a/', 'a/mine'],
      layers: [['a -> /etc']],
    }),
    { changed: ['a', 'a/mine'], deleted: [] },
  )
})

test('a container that changed nothing has an empty list', async t => {
  assert.deepEqual(await changes(t, { upper: [], merged: ['bin/'], layers: [['bin/']] }), {
    changed: [],
    deleted: [],
  })
})
