import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import { namespaceFlags } from '#shim/host'
import { createFakeHost } from './fake-host.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }
const sandbox = {
  directory: '/pod',
  flags: namespaceFlags.network | namespaceFlags.pid,
  sysctls: [],
  shmBytes: 1024,
  pauseProgram: '/pause',
  pauseCgroups: ['/cgroup/pod/pause'],
}

test('the fake host remembers mounts and processes until they are undone', async () => {
  const host = createFakeHost()
  const pid = await host.createSandbox(ctx, sandbox)
  assert.ok(pid !== undefined && host.processes.has(pid))
  assert.deepEqual(host.mounts, ['/pod/net', '/pod/pid', '/pod/shm'])
  await assert.rejects(host.createSandbox(ctx, sandbox), err => isKind(err, 'already-exists'))
  await assert.rejects(host.removeTree(ctx, ['/pod']), err => isKind(err, 'failed-precondition'))
  await assert.rejects(host.removeCgroup(ctx, ['/cgroup/pod']), err => isKind(err, 'failed-precondition'))
  assert.equal(await host.killProcess(ctx, { pid, name: 'another', signal: 9 }), false)
  assert.equal(await host.killCgroup(ctx, ['/cgroup/pod'], 9), 1)
  assert.equal(await host.killProcess(ctx, { pid, name: 'lighter-pause', signal: 0 }), false)
  await host.removeCgroup(ctx, ['/cgroup/pod'])
  await host.unmount(ctx, ['/pod/net', '/pod/pid', '/pod/shm', '/pod/uts'])
  await host.removeTree(ctx, ['/pod'])
  assert.deepEqual(host.mounts, [])
  assert.equal(host.processes.size, 0)
  assert.equal(host.calls.at(-1), 'removeTree /pod')
})

test('the fake host fails as told, without effect, and writes the call down', async () => {
  const host = createFakeHost()
  host.fail('createSandbox', new RuntimeError('resource-exhausted', 'no space'))
  await assert.rejects(host.createSandbox(ctx, sandbox), err => isKind(err, 'resource-exhausted'))
  assert.deepEqual(host.mounts, [])
  host.succeed('createSandbox')
  await host.createSandbox(ctx, { ...sandbox, flags: 0, shmBytes: 0 })
  assert.deepEqual(host.calls, ['createSandbox /pod', 'createSandbox /pod'])
  await assert.rejects(host.unmount({ ...ctx, signal: AbortSignal.abort() }, ['/pod/net']), err =>
    isKind(err, 'cancelled'),
  )
})

test('the fake host reads the files and runs the programs it was given', async () => {
  const host = createFakeHost()
  host.putFile('/root', '/etc/passwd', 'root:x')
  assert.equal((await host.readInRoot(ctx, '/root', '/etc/passwd', 6))?.toString(), 'root:x')
  assert.equal(await host.readInRoot(ctx, '/root', '/etc/group', 6), undefined)
  await assert.rejects(host.readInRoot(ctx, '/root', '/etc/passwd', 5), err =>
    isKind(err, 'resource-exhausted'),
  )
  host.onRun = program =>
    Promise.resolve({ exitCode: program.argv.length, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) })
  assert.equal((await host.run(ctx, { argv: ['/a', 'b'], env: [], timeoutMs: 1 })).exitCode, 2)
  await host.lock('/lock', 0)
  assert.deepEqual([...host.locks], ['/lock'])
})
