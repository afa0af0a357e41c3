import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { errnoOf, isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { createHost } from './lighter-host.ts'
import {
  command,
  type HostFixture,
  isAlive,
  nativeProgram,
  readPid,
  startHost,
  waitUntil,
} from './testing/host-fixture.ts'

/** Of a process whose only child is its host. */
async function hostPidOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim())
}

async function launchSleep({ host, ctx, directory }: HostFixture, socketPath: string): Promise<number> {
  return host.launch(ctx, {
    argv: ['/bin/sh', '-c', 'echo launched >&2; exec sleep 1000'],
    env: ['A=1'],
    socketPath,
    stderrPath: join(directory, 'log'),
  })
}

test('a launched program is detached, logs, and holds a listening socket', async t => {
  const fixture = await startHost(t)
  const socketPath = join(fixture.directory, 'socket')
  await writeFile(socketPath, 'something in the way')
  const pid = await launchSleep(fixture, socketPath)
  t.after(() => process.kill(pid, 'SIGKILL'))
  await waitUntil('the log', async () => {
    return (await readFile(join(fixture.directory, 'log'), 'utf8')) === 'launched\n'
  })
  assert.equal((await stat(socketPath)).mode & 0o777, 0o600)
  // The shell adds PWD.
  assert.equal(await readFile(`/proc/${pid}/environ`, 'utf8'), 'A=1\0PWD=/\0')
  assert.deepEqual(await readdir(`/proc/${pid}/fd`), ['0', '1', '2', '3'])
  assert.equal(await readlink(`/proc/${pid}/fd/0`), '/dev/null')
  assert.match(await readlink(`/proc/${pid}/fd/3`), /^socket:/)
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  assert.deepEqual(fields.slice(2, 4), [String(pid), String(pid)]) // leads its group and its session
  const connection = createConnection(socketPath)
  await once(connection, 'connect')
  connection.destroy()
})

test('a socket path may be longer than an address', async t => {
  const fixture = await startHost(t)
  const deep = join(fixture.directory, 'directory'.repeat(20))
  await mkdir(deep)
  const pid = await launchSleep(fixture, join(deep, 'socket'))
  process.kill(pid, 'SIGKILL')
  assert.ok((await stat(join(deep, 'socket'))).isSocket())
})

test('a launch that fails leaves no socket', async t => {
  const { host, ctx, directory } = await startHost(t)
  const program = { env: [], socketPath: join(directory, 'socket'), stderrPath: join(directory, 'log') }
  const cases = [
    { ...program, argv: [join(directory, 'absent')], kind: 'not-found' },
    { ...program, argv: ['/etc/passwd'], kind: 'permission-denied' },
    { ...program, argv: ['/bin/true'], stderrPath: join(directory, 'no/log'), kind: 'not-found' },
    { ...program, argv: ['/bin/true'], socketPath: join(directory, 'no/socket'), kind: 'not-found' },
  ] as const
  for (const { kind, ...input } of cases) {
    await assert.rejects(host.launch(ctx, input), err => isKind(err, kind) || assert.fail(String(err)))
    await assert.rejects(stat(program.socketPath), { code: 'ENOENT' })
  }
})

test('a launched program that ends does not stay as a zombie', async t => {
  const { host, ctx, directory } = await startHost(t)
  const pid = await host.launch(ctx, {
    argv: ['/bin/true'],
    env: [],
    socketPath: join(directory, 'socket'),
    stderrPath: join(directory, 'log'),
  })
  await waitUntil('the process to be reaped', async () => {
    try {
      await stat(`/proc/${pid}`)
      return false
    } catch (err) {
      return errnoOf(err) === 'ENOENT'
    }
  })
})

test('a host that dies is started again; running calls fail, later ones succeed', async t => {
  const fixture = await startHost(t)
  const { host, ctx, directory } = fixture
  const lockPath = join(directory, 'lock')
  await host.lock(lockPath, 0)
  const launched = await launchSleep(fixture, join(directory, 'socket'))
  t.after(() => process.kill(launched, 'SIGKILL'))
  const pidFile = join(directory, 'pid')
  const argv = ['/bin/sh', '-c', `echo $$ > ${pidFile}; exec sleep 1000`]
  const running = host.run(ctx, { argv, env: [], timeoutMs: 60_000 })
  const failed = assert.rejects(running, err => isKind(err, 'unavailable'))
  const child = await readPid(pidFile)
  process.kill(await hostPidOf(process.pid), 'SIGKILL')
  await failed
  const result = await host.run(ctx, { argv: ['/bin/echo', 'again'], env: [], timeoutMs: 10_000 })
  assert.equal(result.stdout.toString(), 'again\n')
  await waitUntil('the child of the dead host to die', async () => !(await isAlive(child)))
  assert.equal(await isAlive(launched), true)
  // The new host holds the lock.
  await assert.rejects(command('flock', ['--nonblock', lockPath, 'true']))
})

test('a locked file cannot be locked by a second host until the first stops', async t => {
  const { host, directory } = await startHost(t)
  const lockPath = join(directory, 'lock')
  await host.lock(lockPath, 0)
  await host.lock(lockPath, 0)
  const second = createHost({ programPath: nativeProgram('lighter-host'), log: silentLog })
  t.after(() => second.stop())
  await second.start()
  await assert.rejects(
    second.lock(lockPath, 50),
    err => isKind(err, 'failed-precondition') && err.message.includes(lockPath),
  )
  const waiting = second.lock(lockPath, 10_000)
  await host.stop()
  await waiting
  await assert.rejects(second.lock(join(directory, 'no/lock'), 0), err => isKind(err, 'not-found'))
})

test('when the daemon dies its programs are killed before the lock is free, and launched ones stay', async t => {
  const fixture = await startHost(t)
  const { directory } = fixture
  const lockPath = join(directory, 'lock')
  const pidFile = join(directory, 'pid')
  const launchedFile = join(directory, 'launched')
  const finishedFile = join(directory, 'finished')
  const script = `
    import { createHost } from ${JSON.stringify(new URL('lighter-host.js', import.meta.url).href)}
    import { writeFile } from 'node:fs/promises'
    const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log }
    const ctx = { log, signal: new AbortController().signal }
    const host = createHost({ programPath: ${JSON.stringify(nativeProgram('lighter-host'))}, log })
    await host.start()
    await host.lock(${JSON.stringify(lockPath)}, 0)
    const files = { socketPath: ${JSON.stringify(join(directory, 'socket'))}, stderrPath: '/dev/null' }
    const launched = await host.launch(ctx, { argv: ['/bin/sleep', '1000'], env: [], ...files })
    await writeFile(${JSON.stringify(launchedFile)}, launched + '\\n')
    const slow = ['/bin/sh', '-c', 'sleep 1; echo done > ${finishedFile}']
    void host.run(ctx, { argv: slow, env: [], timeoutMs: 60_000, mayFinish: true })
    const argv = ['/bin/sh', '-c', '/bin/sh -c "echo \\\\$\\\\$ > ${pidFile}; exec sleep 1000" & wait']
    await host.run(ctx, { argv, env: [], timeoutMs: 60_000 })`
  const daemon = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  t.after(() => daemon.kill('SIGKILL'))
  const grandchild = await readPid(pidFile)
  const launched = await readPid(launchedFile)
  t.after(() => process.kill(launched, 'SIGKILL'))
  assert.equal(await isAlive(grandchild), true)
  daemon.kill('SIGKILL')
  await fixture.host.lock(lockPath, 10_000)
  assert.equal(await readFile(finishedFile, 'utf8'), 'done\n') // it may finish, and the lock waited for it
  assert.equal(await isAlive(grandchild), false)
  assert.equal(await isAlive(launched), true)
})

test('a host ignores the signals of a terminal, and ends by stop', async t => {
  const { host, ctx } = await startHost(t)
  await host.run(ctx, { argv: ['/bin/true'], env: [], timeoutMs: 10_000 })
  const pid = await hostPidOf(process.pid)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal)
  await host.run(ctx, { argv: ['/bin/true'], env: [], timeoutMs: 10_000 })
  assert.equal(await hostPidOf(process.pid), pid)
  await host.stop()
  assert.equal(await isAlive(pid), false)
  await assert.rejects(host.run(ctx, { argv: ['/bin/true'], env: [], timeoutMs: 10_000 }), err =>
    isKind(err, 'unavailable'),
  )
  await host.stop()
})

test('a host that cannot be started is an error of start', async t => {
  const { directory } = await startHost(t)
  const absent = createHost({ programPath: join(directory, 'absent'), log: silentLog })
  await assert.rejects(absent.start(), err => isKind(err, 'not-found'))
  await absent.stop()
})

test('a host whose program has gone comes back with it', async t => {
  const { directory } = await startHost(t)
  const programPath = join(directory, 'lighter-host')
  await command('cp', [nativeProgram('lighter-host'), programPath])
  const errors: string[] = []
  const log = { ...silentLog, error: (_: object, message: string) => errors.push(message) }
  const host = createHost({ programPath, log })
  t.after(() => host.stop())
  const before = new Set(await childrenOfTest())
  await host.start()
  const [pid] = (await childrenOfTest()).filter(child => !before.has(child))
  assert.ok(pid)
  await rm(programPath)
  process.kill(pid, 'SIGKILL')
  await waitUntil('a failed start', () => Promise.resolve(errors.includes('cannot start lighter-host again')))
  await command('cp', [nativeProgram('lighter-host'), programPath])
  const ctx = { signal: AbortSignal.timeout(20_000), log: silentLog }
  const result = await host.run(ctx, { argv: ['/bin/echo', 'back'], env: [], timeoutMs: 10_000 })
  assert.equal(result.stdout.toString(), 'back\n')
})

async function childrenOfTest(): Promise<number[]> {
  const text = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}
