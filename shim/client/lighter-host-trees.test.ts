import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { command, startHost } from './testing/host-fixture.ts'

async function run(file: string, ...args: readonly string[]): Promise<string> {
  return command(file, args)
}

/** What is in a tree, as find(1) sees it: type, mode, owner, size of files, time, target of links. */
async function listing(directory: string): Promise<readonly string[]> {
  const format = '%P %y %m %U:%G %Ts %l\\n'
  const found = await run('find', directory, '-printf', format)
  return found.trim().split('\n').sort()
}

test('a directory of a root file system is copied with all that it is', async t => {
  const { host, ctx, directory } = await startHost(t)
  const root = join(directory, 'root')
  const target = join(directory, 'copy')
  await mkdir(join(root, 'data/deep/er'), { recursive: true })
  await mkdir(target)
  await writeFile(join(root, 'data/deep/file'), 'x'.repeat(3_000_000))
  await writeFile(join(root, 'data/empty'), '')
  await symlink('../no/where', join(root, 'data/link'))
  const script = `cd ${root}/data
    mkfifo pipe; mknod null c 1 3; mknod -m 600 disk b 259 300000
    chown -h 12:34 empty link deep .; chmod 4755 empty; chmod 1777 deep; chmod 700 .
    setfattr -n user.note -v hello empty; setfattr -n trusted.note -v deep deep
    setfattr -n trusted.overlay.opaque -v y deep; setfattr -n security.selinux -v label empty
    touch -h -d @1000000007 link; touch -d @1000000001 empty deep/file deep/er deep .`
  await run('sh', '-ec', script)
  await host.copyFromRoot(ctx, { root, source: '/data', target })
  assert.deepEqual(await listing(target), await listing(join(root, 'data')))
  assert.equal(await readFile(join(target, 'deep/file'), 'utf8'), 'x'.repeat(3_000_000))
  const attributes = await run('sh', '-ec', `cd ${target}; getfattr -d -m - empty deep 2>/dev/null`)
  assert.deepEqual(
    attributes.split('\n').filter(line => line.includes('=')),
    ['user.note="hello"', 'trusted.note="deep"'],
  )
})

test('links on the way to a copied directory stay inside of the root', async t => {
  const { host, ctx, directory } = await startHost(t)
  const root = join(directory, 'root')
  await mkdir(join(root, 'real/data'), { recursive: true })
  await mkdir(join(directory, 'real/data'), { recursive: true })
  await writeFile(join(root, 'real/data/inside'), '')
  await writeFile(join(directory, 'real/data/outside'), '')
  await symlink('/real', join(root, 'absolute'))
  await symlink('../../../real/data', join(root, 'escape'))
  for (const [name, source] of ['absolute/data', 'escape', '/../absolute/../real/data'].entries()) {
    const target = join(directory, `copy-${name}`)
    await mkdir(target)
    await host.copyFromRoot(ctx, { root, source, target })
    assert.deepEqual(await readdir(target), ['inside'], source)
  }
})

test('what is no directory is nothing to copy, a target that is not empty is not written over', async t => {
  const { host, ctx, directory } = await startHost(t)
  const root = join(directory, 'root')
  const target = join(directory, 'copy')
  await mkdir(join(root, 'data'), { recursive: true })
  await mkdir(target)
  await writeFile(join(root, 'data/file'), 'new')
  await symlink('loop', join(root, 'loop'))
  for (const source of ['absent', 'data/file', 'loop']) await host.copyFromRoot(ctx, { root, source, target })
  assert.deepEqual(await readdir(target), [])
  await writeFile(join(target, 'file'), 'old')
  await assert.rejects(host.copyFromRoot(ctx, { root, source: 'data', target }), err =>
    isKind(err, 'already-exists'),
  )
  assert.equal(await readFile(join(target, 'file'), 'utf8'), 'old')
  const gone = { root: join(directory, 'gone'), source: 'data', target }
  await assert.rejects(host.copyFromRoot(ctx, gone), err => isKind(err, 'internal'))
  const nowhere = { root, source: 'data', target: join(directory, 'gone') }
  await assert.rejects(host.copyFromRoot(ctx, nowhere), err => isKind(err, 'not-found'))
})

test('a tree and everything in it gets a label, links themselves and not what they lead to', async t => {
  const { host, ctx, directory } = await startHost(t)
  const tree = join(directory, 'tree')
  await mkdir(join(tree, 'deep'), { recursive: true })
  await writeFile(join(tree, 'deep/file'), '')
  await writeFile(join(directory, 'outside'), '')
  await symlink(join(directory, 'outside'), join(tree, 'link'))
  const label = 'system_u:object_r:container_file_t:s0:c1,c2'
  await host.relabel(ctx, [tree], label)
  const labels = async (): Promise<string> =>
    run(
      'sh',
      '-ec',
      `cd ${directory}; getfattr -h --only-values -n security.selinux tree tree/deep tree/deep/file tree/link`,
    )
  assert.deepEqual(
    (await labels()).split('\0').filter(text => text !== ''),
    [label, label, label, label],
  )
  await assert.rejects(run('getfattr', '-n', 'security.selinux', join(directory, 'outside')))
  assert.equal(await readlink(join(tree, 'link')), join(directory, 'outside'))

  const { ctimeMs } = await stat(join(tree, 'deep/file'))
  await host.relabel(ctx, [tree], label)
  assert.equal((await stat(join(tree, 'deep/file'))).ctimeMs, ctimeMs)
  await assert.rejects(host.relabel(ctx, [join(directory, 'gone')], label), err => isKind(err, 'not-found'))
})
