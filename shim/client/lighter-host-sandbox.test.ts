import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, open, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { namespaceFlags, type SandboxNamespaces } from './host.ts'
import {
  command,
  type HostFixture,
  isAlive,
  mountsBelow,
  nativeProgram,
  startHost,
  waitUntil,
} from './testing/host-fixture.ts'

const allButPid = namespaceFlags.network | namespaceFlags.ipc | namespaceFlags.uts
const pauseProgram = nativeProgram('lighter-pause')
const names = ['net', 'ipc', 'uts', 'pid', 'shm']

async function sandboxIn(fixture: HostFixture, more: Partial<SandboxNamespaces>): Promise<SandboxNamespaces> {
  const directory = join(fixture.directory, 'pod')
  await mkdir(directory, { recursive: true })
  return { directory, flags: allButPid, sysctls: [], shmBytes: 0, pauseCgroups: [], ...more }
}

async function inNamespace(directory: string, option: string, args: readonly string[]): Promise<string> {
  return command('nsenter', [`--${option}=${join(directory, option)}`, ...args])
}

function pinsOf(directory: string): string[] {
  return names.map(name => join(directory, name))
}

test('namespaces are pinned, set up and usable, and gone after the unmount', async t => {
  const fixture = await startHost(t)
  const sandbox = await sandboxIn(fixture, {
    hostname: 'a-pod',
    sysctls: ['net.ipv4.ip_unprivileged_port_start=0', 'net/ipv4/ip_forward=1', 'kernel.shm_rmid_forced=1'],
    shmBytes: 1024 * 1024,
  })
  assert.equal(await fixture.host.createSandbox(fixture.ctx, sandbox), undefined)
  const { directory } = sandbox

  assert.match(await inNamespace(directory, 'net', ['ip', '-o', 'addr', 'show', 'lo']), /127\.0\.0\.1\/8/)
  assert.match(await inNamespace(directory, 'net', ['ip', '-o', 'link', 'show', 'lo']), /[<,]UP[,>]/)
  const sysctlFile = '/proc/sys/net/ipv4/ip_unprivileged_port_start'
  assert.equal(await inNamespace(directory, 'net', ['cat', sysctlFile]), '0\n')
  assert.equal(await readFile(sysctlFile, 'utf8'), '1024\n')
  assert.equal(await inNamespace(directory, 'net', ['cat', '/proc/sys/net/ipv4/ip_forward']), '1\n')
  assert.equal(await inNamespace(directory, 'ipc', ['cat', '/proc/sys/kernel/shm_rmid_forced']), '1\n')
  assert.equal(await inNamespace(directory, 'uts', ['hostname']), 'a-pod\n')
  assert.notEqual(hostname(), 'a-pod')
  for (const name of ['net', 'ipc', 'uts']) {
    const inside = await inNamespace(directory, name, ['readlink', `/proc/self/ns/${name}`])
    assert.notEqual(inside.trim(), await readlink(`/proc/self/ns/${name}`), name)
  }
  const shm = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .find(line => line.includes('/pod/shm'))
  assert.match(shm ?? '', /nosuid,nodev,noexec.* - tmpfs .*size=1024k/)
  assert.equal((await stat(join(directory, 'shm'))).mode & 0o7777, 0o1777)

  await fixture.host.unmount(fixture.ctx, pinsOf(directory))
  assert.deepEqual(await mountsBelow(directory), [])
  assert.deepEqual(await readdir(directory), [])
  await fixture.host.unmount(fixture.ctx, pinsOf(directory))
})

test('only the namespaces that were asked for are made', async t => {
  const fixture = await startHost(t)
  const sandbox = await sandboxIn(fixture, { flags: namespaceFlags.uts, hostname: 'only-uts' })
  await fixture.host.createSandbox(fixture.ctx, sandbox)
  assert.deepEqual(await readdir(sandbox.directory), ['uts'])
})

test('the pause process is PID 1 in an empty root and can do nothing', async t => {
  const fixture = await startHost(t)
  const sandbox = await sandboxIn(fixture, { flags: allButPid | namespaceFlags.pid, pauseProgram })
  const pid = await fixture.host.createSandbox(fixture.ctx, sandbox)
  assert.ok(pid)
  t.after(() => {
    process.kill(pid, 'SIGKILL')
  })
  await waitUntil('the name of the pause process', async () => {
    return (await readFile(`/proc/${pid}/comm`, 'utf8')) === 'lighter-pause\n'
  })
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  assert.match(status, /^NSpid:\s\d+\s1$/m)
  assert.match(status, /^Uid:\s65535\s65535\s65535\s65535$/m)
  assert.match(status, /^Gid:\s65535\s65535\s65535\s65535$/m)
  assert.match(status, /^Groups:\s*$/m)
  assert.match(status, /^NoNewPrivs:\s1$/m)
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.match(status, new RegExp(`^${set}:\\s0{16}$`, 'm'))
  }
  const mounts = (await readFile(`/proc/${pid}/mountinfo`, 'utf8')).trim().split('\n')
  assert.equal(mounts.length, 1)
  assert.match(mounts[0] ?? '', / \/ \/ ro,nosuid,nodev,noexec.* - tmpfs /)
  assert.deepEqual(await readdir(`/proc/${pid}/root/`), [])
  assert.deepEqual(await readdir(`/proc/${pid}/fd`), [])
  for (const name of ['net', 'ipc', 'uts', 'pid']) {
    const pinned = await stat(join(sandbox.directory, name))
    assert.equal(await readlink(`/proc/${pid}/ns/${name}`), `${name}:[${pinned.ino}]`)
  }
})

test('the pause process runs from a sealed copy and ends by SIGTERM', async t => {
  const fixture = await startHost(t)
  const sandbox = await sandboxIn(fixture, { flags: namespaceFlags.pid, pauseProgram })
  const pid = await fixture.host.createSandbox(fixture.ctx, sandbox)
  assert.ok(pid)
  const program = await open(`/proc/${pid}/exe`)
  assert.equal((await stat(pauseProgram)).size, (await program.stat()).size)
  await program.close()
  assert.match(await readlink(`/proc/${pid}/exe`), /^\/memfd:lighter-pause/)
  await assert.rejects(open(`/proc/${pid}/exe`, 'r+'))
  process.kill(pid, 'SIGTERM')
  await waitUntil('the pause process to end', async () => !(await isAlive(pid)))
})

test('the pause process joins its cgroups', async t => {
  const fixture = await startHost(t)
  const base = await stat('/sys/fs/cgroup/cgroup.procs').then(
    () => '/sys/fs/cgroup',
    () => '/sys/fs/cgroup/pids',
  )
  const cgroup = join(base, `lighter-host-test-${process.pid}`)
  await mkdir(cgroup)
  t.after(async () => command('rmdir', [cgroup]))
  const sandbox = await sandboxIn(fixture, {
    flags: namespaceFlags.pid,
    pauseProgram,
    pauseCgroups: [cgroup],
  })
  const pid = await fixture.host.createSandbox(fixture.ctx, sandbox)
  assert.equal(await readFile(join(cgroup, 'cgroup.procs'), 'utf8'), `${pid}\n`)
  assert.equal(await fixture.host.killCgroup(fixture.ctx, [cgroup], 9), 1)
  await waitUntil('the cgroup to be empty', async () => {
    return (await readFile(join(cgroup, 'cgroup.procs'), 'utf8')) === ''
  })
})

const failures: readonly {
  readonly name: string
  readonly more: Partial<SandboxNamespaces>
  readonly kind: 'invalid-argument' | 'not-found' | 'permission-denied' | 'already-exists'
  readonly prepare?: (directory: string) => Promise<unknown>
}[] = [
  {
    name: 'a sysctl that is not namespaced',
    more: { sysctls: ['kernel.panic=7'] },
    kind: 'invalid-argument',
  },
  {
    name: 'a sysctl that leaves /proc/sys',
    more: { sysctls: ['net/../kernel/panic=7'] },
    kind: 'invalid-argument',
  },
  { name: 'a sysctl without a value', more: { sysctls: ['net.ipv4.ip_forward'] }, kind: 'invalid-argument' },
  { name: 'a sysctl that does not exist', more: { sysctls: ['net.ipv4.no_such=1'] }, kind: 'not-found' },
  {
    name: 'a value that the kernel refuses',
    more: { sysctls: ['net.ipv4.ip_forward=x'] },
    kind: 'invalid-argument',
  },
  {
    name: 'a sysctl of a namespace that the pod shares with the host',
    more: { flags: namespaceFlags.ipc, sysctls: ['net.ipv4.ip_forward=1'] },
    kind: 'invalid-argument',
  },
  { name: 'a hostname of 65 bytes', more: { hostname: 'h'.repeat(65) }, kind: 'invalid-argument' },
  {
    name: 'a hostname without a UTS namespace',
    more: { flags: namespaceFlags.network, hostname: 'x' },
    kind: 'invalid-argument',
  },
  { name: 'unknown flags', more: { flags: 1024 }, kind: 'invalid-argument' },
  {
    name: 'a pause program that is absent',
    more: { flags: 15, shmBytes: 4096, pauseProgram: '/absent' },
    kind: 'not-found',
  },
  {
    name: 'a pause program that is a directory',
    more: { flags: 15, shmBytes: 4096, pauseProgram: '/etc' },
    kind: 'permission-denied',
  },
  {
    name: 'a cgroup that is absent',
    more: { flags: 15, shmBytes: 4096, pauseProgram, pauseCgroups: ['/sys/fs/cgroup/absent'] },
    kind: 'not-found',
  },
  {
    name: 'a pin that is in the way',
    more: { flags: 15, shmBytes: 4096, pauseProgram },
    kind: 'already-exists',
    prepare: directory => writeFile(join(directory, 'uts'), ''),
  },
]

test('a sandbox that fails leaves nothing behind', async t => {
  const fixture = await startHost(t)
  const panic = await readFile('/proc/sys/kernel/panic', 'utf8')
  const session = await hostPid()
  for (const { name, more, kind, prepare } of failures) {
    const sandbox = await sandboxIn(fixture, { ...more, directory: join(fixture.directory, 'failing') })
    await mkdir(sandbox.directory, { recursive: true })
    await prepare?.(sandbox.directory)
    const before = await readdir(sandbox.directory)
    await assert.rejects(
      fixture.host.createSandbox(fixture.ctx, sandbox),
      err => isKind(err, kind) || assert.fail(`${name}: ${String(err)}`),
    )
    assert.deepEqual(await readdir(sandbox.directory), before, name)
    assert.deepEqual(await mountsBelow(sandbox.directory), [], name)
    assert.deepEqual(await processesOf(session), [session], name)
  }
  assert.equal(await readFile('/proc/sys/kernel/panic', 'utf8'), panic)
})

/** The host is the one child of this process. */
async function hostPid(): Promise<number> {
  const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')
  return Number(children.trim())
}

/** Everything that the host started and did not detach is in the session that it leads. */
async function processesOf(session: number): Promise<number[]> {
  const found: number[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const fields = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    if (fields.slice(fields.lastIndexOf(')')).split(' ')[4] === String(session)) found.push(Number(pid))
  }
  return found
}

/** A mount namespace in which everything is copied and private, as a container with a host path has it. */
async function holdMounts(t: TestContext, propagation: string): Promise<number> {
  const holder = spawn('unshare', ['--mount', '--propagation', propagation, 'sleep', '1000'])
  t.after(() => holder.kill('SIGKILL'))
  const pid = holder.pid
  assert.ok(pid)
  const own = await readlink('/proc/self/ns/mnt')
  await waitUntil('the mount namespace', async () => {
    const command = await readFile(`/proc/${pid}/comm`, 'utf8')
    return command === 'sleep\n' && (await readlink(`/proc/${pid}/ns/mnt`)) !== own
  })
  return pid
}

for (const propagation of ['private', 'slave', 'shared']) {
  test(`pins on a shared mount do not outlive the unmount in a ${propagation} copy of the mounts`, async t => {
    const fixture = await startHost(t)
    const shared = join(fixture.directory, 'state')
    await mkdir(shared)
    await command('mount', ['-t', 'tmpfs', 'state', shared])
    await command('mount', ['--make-shared', shared])
    const directory = join(shared, 'pod')
    await mkdir(directory)
    const sandbox = await sandboxIn(fixture, { directory, shmBytes: 4096 })
    await fixture.host.createSandbox(fixture.ctx, sandbox)
    const holder = await holdMounts(t, propagation)
    assert.equal((await mountsBelow(directory, holder)).length, 4)
    await fixture.host.unmount(fixture.ctx, pinsOf(directory))
    assert.deepEqual(await mountsBelow(directory), [])
    assert.deepEqual(await mountsBelow(directory, holder), [])
  })
}
