import assert from 'node:assert/strict'
import { chmod, chown, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { completeImplicitDirectories, unsetRootMode } from './implicit-directories.ts'

let base: string

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'lighter-implicit-'))
})

afterEach(() => rm(base, { recursive: true }))

async function makeLayer(name: string, directories: Readonly<Record<string, number>>): Promise<string> {
  const root = join(base, name)
  await mkdir(root, { mode: 0o755 })
  for (const [path, mode] of Object.entries(directories)) {
    await mkdir(join(root, path), { recursive: true })
    await chmod(join(root, path), mode)
  }
  return root
}

const modeOf = async (path: string | Buffer) => (await lstat(path)).mode & 0o7777

test('the topmost layer below that has the directory decides', async () => {
  const bottom = await makeLayer('bottom', { a: 0o700, 'a/b': 0o711 })
  const middle = await makeLayer('middle', { a: 0o2770 })
  await chown(join(middle, 'a'), 5, 6)
  await chmod(join(middle, 'a'), 0o2770)
  const directory = await makeLayer('top', { a: 0o755, 'a/b': 0o755, 'a/b/new': 0o755 })
  const paths = ['a', 'a/b', 'a/b/new']
  await completeImplicitDirectories({ directory, paths, parents: [middle, bottom] })
  const a = await lstat(join(directory, 'a'))
  assert.deepEqual([a.mode & 0o7777, a.uid, a.gid], [0o2770, 5, 6])
  assert.equal(await modeOf(join(directory, 'a/b')), 0o711)
  assert.equal(await modeOf(join(directory, 'a/b/new')), 0o755)
})

test('a root without an entry looks like the root below, or 0755 if there is none', async () => {
  const bottom = await makeLayer('bottom', {})
  const top = await makeLayer('top', {})
  for (const root of [bottom, top]) await chmod(root, unsetRootMode)
  await completeImplicitDirectories({ directory: bottom, paths: [], parents: [] })
  assert.equal(await modeOf(bottom), 0o755)
  await chmod(bottom, 0o555)
  await completeImplicitDirectories({ directory: top, paths: [], parents: [bottom] })
  assert.equal(await modeOf(top), 0o555)
})

test('a root with an entry keeps its mode', async () => {
  const bottom = await makeLayer('bottom', {})
  const top = await makeLayer('top', {})
  await chmod(top, 0o750)
  await completeImplicitDirectories({ directory: top, paths: [], parents: [bottom] })
  assert.equal(await modeOf(top), 0o750)
})

test('no path leads out of the layer, by dots or by links', async () => {
  const outside = await makeLayer('outside', { victim: 0o700 })
  const bottom = await makeLayer('bottom', { link: 0o777, 'link/victim': 0o777, outside: 0o777 })
  const directory = await makeLayer('top', {})
  await symlink(outside, join(directory, 'link'))
  const paths = ['link/victim', '../outside/victim', 'x/../../outside/victim', '/link/victim']
  await completeImplicitDirectories({ directory, paths, parents: [bottom] })
  assert.equal(await modeOf(join(outside, 'victim')), 0o700)
})

test('no attribute comes from outside a layer below, by dots or by links', async () => {
  const outside = await makeLayer('outside', { a: 0o777 })
  const bottom = await makeLayer('bottom', {})
  await symlink(outside, join(bottom, 'link'))
  const directory = await makeLayer('top', { link: 0o755, 'link/a': 0o755 })
  await completeImplicitDirectories({ directory, paths: ['link', 'link/a'], parents: [bottom] })
  assert.equal(await modeOf(join(directory, 'link/a')), 0o755)
})

test('names that are no UTF-8 are found, files and absent ones passed over', async () => {
  const name = Buffer.from([0xff, 0xfe])
  const bottom = await makeLayer('bottom', { file: 0o700 })
  const directory = await makeLayer('top', {})
  await mkdir(Buffer.concat([Buffer.from(`${bottom}/`), name]), 0o711)
  await mkdir(Buffer.concat([Buffer.from(`${directory}/`), name]), 0o755)
  await writeFile(join(directory, 'file'), '', { mode: 0o644 })
  const paths = [name.toString('latin1'), 'file', 'absent', '', 'n'.repeat(300)]
  await completeImplicitDirectories({ directory, paths, parents: [bottom] })
  assert.equal(await modeOf(Buffer.concat([Buffer.from(`${directory}/`), name])), 0o711)
  assert.equal(await modeOf(join(directory, 'file')), 0o644)
})
