import assert from 'node:assert/strict'
import { chown, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { type BindMount, type IdMappings, namespaceFlags, type SandboxNamespaces } from './host.ts'
import {
  command,
  type HostFixture,
  isAlive,
  mountsBelow,
  nativeProgram,
  startHost,
  waitUntil,
} from './testing/host-fixture.ts'

const idMappings: IdMappings = {
  uids: [{ containerId: 0, hostId: 70_000, length: 1000 }],
  gids: [{ containerId: 0, hostId: 80_000, length: 1000 }],
}
const { network, ipc, uts, pid, user } = namespaceFlags
const names = ['user', 'net', 'ipc', 'uts', 'pid', 'shm']

/** Others may enter it: the pause process does so as the root of its user namespace. */
async function sandboxIn(
  fixture: HostFixture,
  more: Partial<SandboxNamespaces> = {},
): Promise<SandboxNamespaces> {
  await command('chmod', ['755', fixture.directory])
  const directory = join(fixture.directory, 'pod')
  await mkdir(directory, { recursive: true })
  const flags = user | network | ipc | uts
  return { directory, flags, idMappings, sysctls: [], shmBytes: 4096, pauseCgroups: [], ...more }
}

/** As root of the pinned user namespace, in its network, IPC and UTS namespaces. */
function inside(directory: string, ...args: readonly string[]): Promise<string> {
  const pins = ['user', 'net', 'ipc', 'uts'].map(name => `--${name}=${join(directory, name)}`)
  return command('nsenter', [...pins, '--setuid', '0', '--setgid', '0', ...args])
}

async function ownerOf(path: string): Promise<readonly number[]> {
  const { uid, gid } = await stat(path)
  return [uid, gid]
}

test('a user namespace owns the others: its root sets them up, their sysctls are set, shm is its own', async t => {
  const fixture = await startHost(t)
  const sandbox = await sandboxIn(fixture, {
    hostname: 'users',
    sysctls: ['net.ipv4.ip_forward=1', 'kernel.shmmax=54321', 'fs.mqueue.msg_max=3', 'kernel.domainname=a.b'],
  })
  const { directory } = sandbox
  await fixture.host.createSandbox(fixture.ctx, sandbox)
  assert.match(await inside(directory, 'cat', '/proc/self/uid_map'), /^\s*0\s+70000\s+1000$/m)
  assert.match(await inside(directory, 'cat', '/proc/self/gid_map'), /^\s*0\s+80000\s+1000$/m)
  await inside(directory, 'ip', 'link', 'add', 'own', 'type', 'bridge')
  await inside(directory, 'hostname', 'changed')
  assert.match(await inside(directory, 'ip', '-o', 'link', 'show', 'lo'), /[<,]UP[,>]/)
  const files = ['net/ipv4/ip_forward', 'kernel/shmmax', 'fs/mqueue/msg_max', 'kernel/domainname']
  const settings = await inside(directory, 'cat', ...files.map(file => `/proc/sys/${file}`))
  assert.equal(settings, '1\n54321\n3\na.b\n')
  assert.deepEqual(await ownerOf(join(directory, 'shm')), [70_000, 80_000])
  await fixture.host.unmount(
    fixture.ctx,
    names.map(name => join(directory, name)),
  )
  assert.deepEqual([await mountsBelow(directory), await readdir(directory)], [[], []])
})

test('the pause process of a user namespace lives in it, as the highest id there, and outlives the host', async t => {
  const fixture = await startHost(t)
  const pauseProgram = nativeProgram('lighter-pause')
  const sandbox = await sandboxIn(fixture, { flags: user | ipc | pid, shmBytes: 0, pauseProgram })
  const pause = await fixture.host.createSandbox(fixture.ctx, sandbox)
  assert.ok(pause !== undefined)
  t.after(() => process.kill(pause, 'SIGKILL'))
  const status = await readFile(`/proc/${pause}/status`, 'utf8')
  assert.match(status, /^Uid:\s70999\s/m)
  assert.match(status, /^Gid:\s80999\s/m)
  assert.match(status, /^CapBnd:\s0+$/m)
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  await fixture.host.stop()
  assert.equal(await isAlive(pause), true)
  assert.notEqual(await readlink(`/proc/${pause}/ns/user`), await readlink('/proc/self/ns/user'))
  assert.ok(!children.split(' ').includes(String(pause)))
})

for (const [name, more, kind] of [
  ['no mappings', { idMappings: { uids: [], gids: [] } }, 'invalid-argument'],
  ['only uids', { idMappings: { ...idMappings, gids: [] } }, 'invalid-argument'],
  ['mappings and no user namespace', { flags: network }, 'invalid-argument'],
  [
    'no root',
    { idMappings: { ...idMappings, uids: [{ containerId: 1, hostId: 1, length: 1 }] } },
    'invalid-argument',
  ],
  [
    'ids over the end',
    { idMappings: { ...idMappings, gids: [{ containerId: 0, hostId: 4_294_967_290, length: 10 }] } },
    'invalid-argument',
  ],
  [
    'fractions',
    { idMappings: { ...idMappings, gids: [{ containerId: 0, hostId: 0.5, length: 10 }] } },
    'invalid-argument',
  ],
  [
    'ids twice',
    { idMappings: { ...idMappings, uids: [...idMappings.uids, ...idMappings.uids] } },
    'invalid-argument',
  ],
  ['a sysctl that cannot be set', { sysctls: ['kernel.shmmax=many'] }, 'invalid-argument'],
  ['a pause program that is not there', { flags: user | pid, pauseProgram: '/nowhere' }, 'not-found'],
  [
    'a pause cgroup that is not there',
    {
      flags: user | pid,
      pauseProgram: nativeProgram('lighter-pause'),
      pauseCgroups: ['/sys/fs/cgroup/none'],
    },
    'not-found',
  ],
] as const) {
  test(`a sandbox with ${name} fails and leaves nothing`, async t => {
    const fixture = await startHost(t)
    const sandbox = await sandboxIn(fixture, more)
    await assert.rejects(fixture.host.createSandbox(fixture.ctx, sandbox), { kind })
    assert.deepEqual([await mountsBelow(sandbox.directory), await readdir(sandbox.directory)], [[], []])
    await waitUntil('no process is left in the user namespace', async () => (await mappedProcesses()) === 0)
  })
}

/** How many processes there are in user namespaces as those of these tests. */
async function mappedProcesses(): Promise<number> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const maps = await Promise.all(pids.map(one => readFile(`/proc/${one}/uid_map`, 'utf8').catch(() => '')))
  return maps.filter(map => /^\s*0\s+70000\s+1000$/m.test(map)).length
}

async function sourceDirectory(t: TestContext): Promise<HostFixture & { readonly bind: BindMount }> {
  const fixture = await startHost(t)
  const source = join(fixture.directory, 'source')
  await mkdir(join(source, 'below'), { recursive: true })
  await writeFile(join(source, 'file'), 'text')
  await chown(join(source, 'file'), 5, 6)
  const target = join(fixture.directory, 'target')
  return { ...fixture, bind: { source, target, isRecursive: true, attributes: [], idMappings } }
}

test('an idmapped bind mount shows and takes mapped ids; mounts below it stay as they are', async t => {
  const { host, ctx, bind } = await sourceDirectory(t)
  await command('mount', ['-t', 'tmpfs', 'tmpfs', join(bind.source, 'below')])
  await host.bind(ctx, bind)
  assert.deepEqual(await ownerOf(join(bind.target, 'file')), [70_005, 80_006])
  assert.deepEqual(await ownerOf(bind.target), [70_000, 80_000])
  assert.deepEqual(await ownerOf(join(bind.target, 'below')), [0, 0])
  await command('setpriv', ['--reuid=70007', '--regid=80007', '--clear-groups', 'true'])
  await command('chmod', ['777', bind.source])
  await command('chmod', ['755', join(bind.source, '..')])
  await command('setpriv', [
    '--reuid=70007',
    '--regid=80007',
    '--clear-groups',
    'touch',
    join(bind.target, 'new'),
  ])
  assert.deepEqual(await ownerOf(join(bind.source, 'new')), [7, 7])
  await host.unmount(ctx, [bind.target])
  assert.deepEqual(await mountsBelow(bind.target), [])
})

test('unmounting a copy of shared mounts leaves the mounts below the source', async t => {
  const { host, ctx, bind } = await sourceDirectory(t)
  await command('mount', ['--bind', bind.source, bind.source])
  await command('mount', ['--make-shared', bind.source])
  await command('mount', ['-t', 'tmpfs', 'tmpfs', join(bind.source, 'below')])
  await mkdir(join(bind.source, 'later'))
  for (const isSlave of [false, true]) {
    await host.bind(ctx, { ...bind, isSlave })
    await command('mount', ['-t', 'tmpfs', 'tmpfs', join(bind.source, 'later')])
    assert.equal((await mountsBelow(bind.target)).length, isSlave ? 3 : 2)
    await host.unmount(ctx, [bind.target])
    assert.equal((await mountsBelow(bind.source)).length, 3)
    await command('umount', [join(bind.source, 'later')])
  }
})

test('attributes hold for the top mount, or for those below, too', async t => {
  const { host, ctx, bind } = await sourceDirectory(t)
  await command('mount', ['-t', 'tmpfs', 'tmpfs', join(bind.source, 'below')])
  for (const hasAttributesBelow of [false, true]) {
    await host.bind(ctx, { ...bind, attributes: ['ro', 'noexec', 'nodev', 'nosuid'], hasAttributesBelow })
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
    const optionsOf = (path: string) => mounts.find(line => line.split(' ')[4] === path)?.split(' ')[5] ?? ''
    assert.match(optionsOf(bind.target), /^ro,nosuid,nodev,noexec/)
    assert.match(
      optionsOf(join(bind.target, 'below')),
      hasAttributesBelow ? /^ro,nosuid,nodev,noexec/ : /^rw,relatime/,
    )
    await host.unmount(ctx, [bind.target])
  }
})

test('a bind mount follows no link, and a file system that maps no ids is a failed precondition', async t => {
  const { host, ctx, directory, bind } = await sourceDirectory(t)
  await symlink('source', join(directory, 'link'))
  for (const source of [join(directory, 'link'), join(directory, 'link', 'below'), '/proc']) {
    await assert.rejects(host.bind(ctx, { ...bind, source }), err => isKind(err, 'failed-precondition'))
    await assert.rejects(stat(bind.target), { code: 'ENOENT' })
  }
})

test('an overlay of idmapped layers takes writes as its upper directory is; a hundred of them fit', async t => {
  const { host, ctx, directory } = await startHost(t)
  const layers = Array.from({ length: 100 }, (_, n) => `layer-${String(n)}`)
  for (const layer of layers) {
    await mkdir(join(directory, layer))
    await writeFile(join(directory, layer, layer), 'text')
    await writeFile(join(directory, layer, 'same'), layer)
  }
  for (const name of ['upper', 'work', 'elsewhere']) await mkdir(join(directory, name))
  const target = join(directory, 'elsewhere', 'target')
  await host.mountOverlay(ctx, { directory, layers, upper: 'upper', work: 'work', target, idMappings })
  assert.equal((await readdir(target)).length, 101)
  assert.equal(await readFile(join(target, 'same'), 'utf8'), 'layer-0')
  assert.deepEqual(await ownerOf(join(target, 'layer-99')), [70_000, 80_000])
  await writeFile(join(target, 'layer-99'), 'changed')
  assert.deepEqual(await ownerOf(join(directory, 'upper', 'layer-99')), [70_000, 80_000])
  assert.deepEqual(await mountsBelow(directory), [target])
  await host.unmount(ctx, [target])
})

test('a part of an overlay is mounted alone, and nothing outside of it can be', async t => {
  const { host, ctx, directory } = await startHost(t)
  for (const name of ['one/data/sub', 'two', 'mounts'])
    await mkdir(join(directory, name), { recursive: true })
  await writeFile(join(directory, 'one/data/sub/file'), 'text')
  await symlink('/data/sub', join(directory, 'two/link'))
  await symlink('../../../etc', join(directory, 'two/out'))
  await command('mkfifo', [join(directory, 'two/fifo')])
  const mount = { directory, layers: ['two', 'one'], target: join(directory, 'mounts', 'view') }
  for (const subPath of ['data/sub', 'link', '/link/../sub', '../../link']) {
    await host.mountOverlay(ctx, { ...mount, subPath, attributes: ['ro', 'noexec'] })
    assert.deepEqual(await readdir(mount.target), ['file'])
    await assert.rejects(writeFile(join(mount.target, 'new'), ''), { code: 'EROFS' })
    assert.deepEqual(await mountsBelow(directory), [mount.target])
    await host.unmount(ctx, [mount.target])
  }
  await host.mountOverlay(ctx, { ...mount, subPath: 'data/sub/file' })
  assert.equal(await readFile(mount.target, 'utf8'), 'text')
  await host.unmount(ctx, [mount.target])
  for (const subPath of ['none', 'out', 'out/passwd', 'fifo', 'data/sub/file/x']) {
    await assert.rejects(
      host.mountOverlay(ctx, { ...mount, subPath }),
      err => isKind(err, 'not-found'),
      subPath,
    )
  }
  assert.deepEqual(await readdir(join(directory, 'mounts')), [])
})
