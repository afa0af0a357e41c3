import assert from 'node:assert/strict'
import { link, mkdir, readdir, readFile, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ErrorKind, isKind } from '#base/errors'
import { command, mountsBelow, startHost } from './testing/host-fixture.ts'

async function makeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), text)
  }
}

test('an overlay of 100 layers shows the topmost file of each name and takes writes', async t => {
  const { host, ctx, directory } = await startHost(t)
  const layers = Array.from({ length: 100 }, (_, index) => `snapshots/${'0'.repeat(60)}${index + 1000}/fs`)
  for (const [index, layer] of layers.entries()) {
    await makeFiles(join(directory, layer), { common: String(index), [`only-${index}`]: 'x' })
  }
  await mkdir(join(directory, 'upper'))
  await mkdir(join(directory, 'work'))
  const target = join(directory, 'root')
  await host.mountOverlay(ctx, { directory, layers, upper: 'upper', work: 'work', target })
  assert.equal(await readFile(join(target, 'common'), 'utf8'), '0')
  assert.equal((await readdir(target)).length, 101)
  await writeFile(join(target, 'common'), 'changed')
  assert.equal(await readFile(join(directory, 'upper/common'), 'utf8'), 'changed')
  assert.equal(await readFile(join(directory, layers[0] ?? '', 'common'), 'utf8'), '0')
  await host.unmount(ctx, [target])
  assert.deepEqual(await mountsBelow(directory), [])
  await assert.rejects(stat(target))
})

test('a view is read-only, of one layer as of several, and of long paths', async t => {
  const { host, ctx, directory } = await startHost(t)
  const long = `${'long-'.repeat(40)}/${'name-'.repeat(40)}`
  await makeFiles(directory, { 'one/file': '1', 'two/file': '2', [`${long}/deep`]: 'd' })
  const target = join(directory, 'view')
  for (const layers of [['one'], ['one', 'two'], ['one', long]]) {
    await host.mountOverlay(ctx, { directory, layers, target })
    assert.equal(await readFile(join(target, 'file'), 'utf8'), '1')
    await assert.rejects(writeFile(join(target, 'file'), 'x'), { code: 'EROFS' })
    await host.unmount(ctx, [target])
  }
  assert.equal(await readFile(join(directory, 'one/file'), 'utf8'), '1')
})

test('an overlay that fails names what is wrong and leaves no mount point', async t => {
  const { host, ctx, directory } = await startHost(t)
  await makeFiles(directory, { 'one/file': '1', 'upper/file': '' })
  const target = join(directory, 'root')
  const mount = { directory, layers: ['one'], target }
  const cases: readonly { readonly mount: typeof mount; readonly kind: ErrorKind; readonly names: string }[] =
    [
      { mount: { ...mount, layers: ['one', 'absent'] }, kind: 'not-found', names: 'absent' },
      { mount: { ...mount, layers: [] }, kind: 'internal', names: target },
      { mount: { ...mount, layers: ['one', 'one'] }, kind: 'internal', names: target },
      { mount: { ...mount, directory: join(directory, 'gone') }, kind: 'not-found', names: 'gone' },
      { mount: { ...mount, target: join(directory, 'no/parent') }, kind: 'not-found', names: 'no/parent' },
    ]
  for (const { mount: input, kind, names } of cases) {
    await assert.rejects(
      host.mountOverlay(ctx, input),
      err => (isKind(err, kind) && err.message.includes(names)) || assert.fail(`${names}: ${String(err)}`),
    )
  }
  await assert.rejects(host.mountOverlay(ctx, { ...mount, upper: 'upper' }), /only one of upper and work/)
  const options = { upper: 'upper', work: 'work', options: 'no-such-option' }
  await assert.rejects(host.mountOverlay(ctx, { ...mount, ...options }))
  assert.deepEqual(await mountsBelow(directory), [])
  await assert.rejects(stat(target))
})

test('bind mounts of files and directories are writable or read-only as asked', async t => {
  const { host, ctx, directory } = await startHost(t)
  await makeFiles(directory, { 'source/file': 'f', 'source/inner/deep': '' })
  await command('mount', ['-t', 'tmpfs', 'inner', join(directory, 'source/inner')])
  const bind = { source: join(directory, 'source'), target: join(directory, 'target') }

  await host.bind(ctx, { ...bind, isRecursive: true, attributes: ['ro'], hasAttributesBelow: true })
  await assert.rejects(writeFile(join(bind.target, 'file'), 'x'), { code: 'EROFS' })
  await assert.rejects(writeFile(join(bind.target, 'inner/new'), 'x'), { code: 'EROFS' })
  await host.unmount(ctx, [bind.target])

  await host.bind(ctx, { ...bind, isRecursive: false, attributes: [] })
  await writeFile(join(bind.target, 'file'), 'changed')
  assert.equal(await readFile(join(directory, 'source/file'), 'utf8'), 'changed')
  assert.deepEqual(await readdir(join(bind.target, 'inner')), ['deep'])
  await host.unmount(ctx, [bind.target])

  const file = { source: join(directory, 'source/file'), target: join(directory, 'bound-file') }
  await host.bind(ctx, { ...file, isRecursive: false, attributes: ['ro'] })
  assert.equal(await readFile(file.target, 'utf8'), 'changed')
  await host.unmount(ctx, [file.target])
  await assert.rejects(stat(file.target))

  const absent = { source: join(directory, 'absent'), target: join(directory, 'target') }
  await assert.rejects(host.bind(ctx, { ...absent, isRecursive: false, attributes: ['ro'] }), err =>
    isKind(err, 'not-found'),
  )
  await assert.rejects(stat(absent.target))
})

test('unmount takes stacked mounts away and leaves what was never mounted', async t => {
  const { host, ctx, directory } = await startHost(t)
  await makeFiles(directory, { 'plain-file': 'kept', 'full/file': 'kept' })
  const stacked = join(directory, 'stacked')
  await mkdir(stacked)
  for (let count = 0; count < 5; count++) await command('mount', ['-t', 'tmpfs', 'tmpfs', stacked])
  await symlink(stacked, join(directory, 'link'))
  await host.unmount(ctx, [join(directory, 'link')])
  assert.equal((await mountsBelow(stacked)).length, 5)
  const paths = ['absent', 'absent/below', 'plain-file/below', 'plain-file', 'full', 'stacked']
  await host.unmount(
    ctx,
    paths.map(path => join(directory, path)),
  )
  assert.deepEqual(await mountsBelow(directory), [])
  assert.deepEqual(await readdir(directory), ['full', 'link', 'plain-file'])
})

test('removing a tree follows no links', async t => {
  const { host, ctx, directory } = await startHost(t)
  await makeFiles(directory, { 'outside/file': 'kept', 'tree/a/b/c/file': 'x', 'tree/file': 'x' })
  await symlink(join(directory, 'outside'), join(directory, 'tree/link'))
  await symlink('../../outside/file', join(directory, 'tree/a/file-link'))
  await symlink(join(directory, 'outside'), join(directory, 'top-link'))
  await mkdir(join(directory, 'tree/closed'), { mode: 0 })
  await command('mkfifo', [join(directory, 'tree/fifo')])
  await command('mknod', [join(directory, 'tree/whiteout'), 'c', '0', '0'])
  const paths = ['tree', 'top-link', 'absent', 'outside/file/below'].map(path => join(directory, path))
  await host.removeTree(ctx, paths)
  assert.deepEqual(await readdir(directory), ['outside'])
  assert.equal(await readFile(join(directory, 'outside/file'), 'utf8'), 'kept')
})

test('removing a tree takes immutable and append-only files and directories along', async t => {
  const { host, ctx, directory } = await startHost(t)
  await makeFiles(directory, { 'tree/locked/file': 'x', 'tree/locked/log': 'x' })
  const inTree = (path: string) => join(directory, 'tree', path)
  t.after(async () => {
    await command('chattr', ['-R', '-i', '-a', directory]).catch(() => undefined)
  })
  try {
    await command('chattr', ['+i', inTree('locked/file')])
    await command('chattr', ['+a', inTree('locked/log')])
    await command('chattr', ['+i', inTree('locked')])
  } catch {
    t.skip('the file system of the temporary directory has no such flags')
    return
  }
  await assert.rejects(unlink(inTree('locked/file')), { code: 'EPERM' })
  await host.removeTree(ctx, [join(directory, 'tree')])
  assert.deepEqual(await readdir(directory), [])
})

test('removing a tree does not enter mounts, be they of another file system or of the same', async t => {
  const { host, ctx, directory } = await startHost(t)
  await makeFiles(directory, { 'outside/file': 'kept', 'tree/mount/hidden': 'x' })
  const mount = join(directory, 'tree/mount')
  const kinds = [
    ['-t', 'tmpfs', 'tmpfs', mount],
    ['--bind', join(directory, 'outside'), mount],
  ]
  for (const args of kinds) {
    await command('mount', args)
    const content = await readdir(mount)
    for (const path of [join(directory, 'tree'), mount]) {
      await assert.rejects(
        host.removeTree(ctx, [path]),
        err => isKind(err, 'failed-precondition') && err.message.includes('mount'),
      )
    }
    assert.deepEqual(await readdir(mount), content)
    await command('umount', [mount])
  }
  assert.equal(await readFile(join(directory, 'outside/file'), 'utf8'), 'kept')
  await host.removeTree(ctx, [join(directory, 'tree')])
  assert.deepEqual(await readdir(directory), ['outside'])
})

test('a tree that is deeper than a path may be long is measured and removed', async t => {
  const { host, ctx, directory } = await startHost(t)
  const script = `
    import os, sys
    os.chdir(sys.argv[1]); os.mkdir('tree'); os.chdir('tree')
    for _ in range(1000):
        os.mkdir('directory-name'); os.chdir('directory-name')
    open('file', 'w').close()`
  await command('python3', ['-c', script.replaceAll(/^ {4}/gm, ''), directory])
  const tree = join(directory, 'tree')
  assert.equal((await host.diskUsage(ctx, [tree])).inodes, 1002)
  await host.removeTree(ctx, [tree])
  assert.deepEqual(await readdir(directory), [])
})

test('disk usage counts blocks and inodes, hard links once, and nothing in other mounts', async t => {
  const { host, ctx, directory } = await startHost(t)
  const size = 1024 * 1024
  const tree = join(directory, 'tree')
  await makeFiles(tree, { 'a/big': 'x'.repeat(size), 'mounted/hidden': '' })
  for (let count = 0; count < 100; count++) await link(join(tree, 'a/big'), join(tree, `a/link-${count}`))
  await symlink('/etc', join(tree, 'a/link'))
  const mounted = join(tree, 'mounted')
  await command('mount', ['-t', 'tmpfs', 'tmpfs', mounted])
  await writeFile(join(mounted, 'other'), 'x'.repeat(size))

  const usage = await host.diskUsage(ctx, [tree, join(directory, 'absent')])
  assert.equal(usage.inodes, 4) // tree, a, big, link
  const [blocks] = (
    await command('du', ['--summarize', '--one-file-system', '--block-size=512', tree])
  ).split('\t')
  assert.equal(usage.bytes, Number(blocks) * 512)
  // The mount itself can be measured when it is named.
  const inside = await host.diskUsage(ctx, [mounted])
  assert.deepEqual(inside, { bytes: size, inodes: 2 })
})

test('a file is read inside a root, from which nothing leads out', async t => {
  const { host, ctx, directory } = await startHost(t)
  const root = join(directory, 'root')
  await makeFiles(directory, { 'root/etc/passwd': 'inside', passwd: 'outside', 'root/empty': '' })
  await symlink('/etc/passwd', join(root, 'absolute'))
  await symlink('../../../../../../etc/passwd', join(root, 'climbing'))
  await symlink('/etc', join(root, 'directory-link'))
  await symlink('loop', join(root, 'loop'))
  await symlink(`/proc/${process.pid}/root/etc/passwd`, join(root, 'magic'))
  await command('mkfifo', [join(root, 'fifo')])
  await command('mknod', [join(root, 'device'), 'c', '1', '5'])
  const cases = {
    'etc/passwd': 'inside',
    '/etc/passwd': 'inside',
    absolute: 'inside',
    climbing: 'inside',
    'directory-link/passwd': 'inside',
    '../passwd': undefined,
    '../root/etc/passwd': undefined,
    empty: '',
    absent: undefined,
    'etc/passwd/below': undefined,
    etc: undefined,
    fifo: undefined,
    device: undefined,
    loop: undefined,
    magic: undefined,
  }
  for (const [path, expected] of Object.entries(cases)) {
    const data = await host.readInRoot(ctx, root, path, 1024)
    assert.equal(data?.toString(), expected, path)
  }
})

test('a file over the limit and a root that is absent are errors', async t => {
  const { host, ctx, directory } = await startHost(t)
  await makeFiles(directory, { big: 'x'.repeat(101) })
  await assert.rejects(host.readInRoot(ctx, directory, 'big', 100), err => isKind(err, 'resource-exhausted'))
  assert.equal((await host.readInRoot(ctx, directory, 'big', 101))?.length, 101)
  await rm(join(directory, 'big'))
  await assert.rejects(host.readInRoot(ctx, join(directory, 'absent'), 'big', 100), /absent/)
})
