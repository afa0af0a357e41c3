import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { programLimits } from '#base/programs'
import { isAlive, readPid, startHost, waitUntil } from './testing/host-fixture.ts'

const timeoutMs = 20_000

test('a program answers its exit code and both streams', async t => {
  const { host, ctx, directory } = await startHost(t)
  const cases = [
    { script: 'echo out; echo err >&2; exit 3', exitCode: 3, stdout: 'out\n', stderr: 'err\n' },
    { script: 'kill -TERM $$', exitCode: 143, stdout: '', stderr: '' },
    { script: 'cat', stdin: 'given', exitCode: 0, stdout: 'given', stderr: '' },
    { script: 'cat', exitCode: 0, stdout: '', stderr: '' },
    { script: 'pwd', cwd: directory, exitCode: 0, stdout: `${directory}\n`, stderr: '' },
    { script: 'pwd; umask', exitCode: 0, stdout: '/\n0022\n', stderr: '' },
  ]
  for (const { script, stdin, cwd, ...expected } of cases) {
    const program = { argv: ['/bin/sh', '-c', script], env: [], timeoutMs }
    const result = await host.run(ctx, {
      ...program,
      ...(stdin === undefined ? {} : { stdin }),
      ...(cwd === undefined ? {} : { cwd }),
    })
    const { exitCode, stdout, stderr } = result
    assert.deepEqual({ exitCode, stdout: stdout.toString(), stderr: stderr.toString() }, expected, script)
  }
})

test('a program gets the environment and the descriptors it was given, default signals, and no more', async t => {
  const { host, ctx } = await startHost(t)
  const env = await host.run(ctx, { argv: ['/usr/bin/env'], env: ['A=1', 'B=two words'], timeoutMs })
  assert.equal(env.stdout.toString(), 'A=1\nB=two words\n')
  const status = await host.run(ctx, { argv: ['/bin/cat', '/proc/self/status'], env: [], timeoutMs })
  assert.match(status.stdout.toString(), /^SigBlk:\s0{16}$/m)
  assert.match(status.stdout.toString(), /^SigIgn:\s0{16}$/m)
  // The fourth is the directory that ls itself reads.
  const files = await host.run(ctx, { argv: ['/bin/ls', '/proc/self/fd'], env: [], timeoutMs })
  assert.deepEqual(files.stdout.toString().trim().split('\n'), ['0', '1', '2', '3'])
})

test('large input arrives whole, and a program that does not read it is no failure', async t => {
  const { host, ctx } = await startHost(t)
  const stdin = Buffer.alloc(3 * 1024 * 1024, 'x')
  const counted = await host.run(ctx, { argv: ['/usr/bin/wc', '-c'], env: [], stdin, timeoutMs })
  assert.equal(counted.stdout.toString().trim(), String(stdin.length))
  const ignored = await host.run(ctx, { argv: ['/bin/true'], env: [], stdin, timeoutMs })
  assert.equal(ignored.exitCode, 0)
})

test('input that does not fit into a frame is refused and harms nobody', async t => {
  const { host, ctx } = await startHost(t)
  const stdin = Buffer.alloc(5 * 1024 * 1024)
  await assert.rejects(host.run(ctx, { argv: ['/bin/cat'], env: [], stdin, timeoutMs }), err =>
    isKind(err, 'invalid-argument'),
  )
  assert.equal((await host.run(ctx, { argv: ['/bin/true'], env: [], timeoutMs })).exitCode, 0)
})

test('output over the limit is dropped while the program goes on', async t => {
  const { host, ctx } = await startHost(t)
  const script = 'head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2; exit 7'
  const result = await host.run(ctx, { argv: ['/bin/sh', '-c', script], env: [], timeoutMs })
  assert.equal(result.exitCode, 7)
  assert.equal(result.stdout.length, programLimits.outputBytes)
  assert.equal(result.stderr.length, programLimits.outputBytes)
})

test('what cannot be executed is an error that names it', async t => {
  const { host, ctx, directory } = await startHost(t)
  const plainFile = join(directory, 'plain')
  await writeFile(plainFile, 'no program', { mode: 0o644 })
  const cases = [
    { argv: [join(directory, 'absent')], cwd: '/', kind: 'not-found', names: 'absent' },
    { argv: [plainFile], cwd: '/', kind: 'permission-denied', names: 'plain' },
    { argv: ['true'], cwd: '/', kind: 'invalid-argument', names: '"true"' },
    { argv: [], cwd: '/', kind: 'invalid-argument', names: 'program' },
    { argv: ['/bin/true'], cwd: join(directory, 'nowhere'), kind: 'not-found', names: 'nowhere' },
  ] as const
  for (const { argv, cwd, kind, names } of cases) {
    await assert.rejects(
      host.run(ctx, { argv, cwd, env: [], timeoutMs }),
      err => isKind(err, kind) && err.message.includes(names),
      names,
    )
  }
})

/** A program whose child writes its pid into the file, and both go on for ever. */
function endless(pidFile: string): readonly string[] {
  return ['/bin/sh', '-c', `/bin/sh -c 'echo $$ > ${pidFile}; exec sleep 1000' & wait`]
}

test('after the time-out the program and its children are gone', async t => {
  const { host, ctx, directory } = await startHost(t)
  const pidFile = join(directory, 'pid')
  await assert.rejects(host.run(ctx, { argv: endless(pidFile), env: [], timeoutMs: 500 }), err =>
    isKind(err, 'deadline-exceeded'),
  )
  assert.equal(await isAlive(await readPid(pidFile)), false)
})

test('after a cancel the program and its children are gone', async t => {
  const { host, ctx, directory } = await startHost(t)
  const pidFile = join(directory, 'pid')
  const caller = new AbortController()
  const running = host.run({ ...ctx, signal: caller.signal }, { argv: endless(pidFile), env: [], timeoutMs })
  const pid = await readPid(pidFile)
  assert.equal(await isAlive(pid), true)
  caller.abort()
  await assert.rejects(running, err => isKind(err, 'cancelled'))
  assert.equal(await isAlive(pid), false)
})

test('a call that is cancelled before it begins does nothing', async t => {
  const { host, ctx, directory } = await startHost(t)
  const path = join(directory, 'made')
  const argv = ['/usr/bin/touch', path]
  await assert.rejects(host.run({ ...ctx, signal: AbortSignal.abort() }, { argv, env: [], timeoutMs }), err =>
    isKind(err, 'cancelled'),
  )
  const result = await host.run(ctx, { argv: ['/usr/bin/test', '-e', path], env: [], timeoutMs })
  assert.equal(result.exitCode, 1)
})

test('a program that left a process behind which holds its output answers all the same', async t => {
  const { host, ctx, directory } = await startHost(t)
  const pidFile = join(directory, 'pid')
  const script = `setsid /bin/sh -c 'echo $$ > ${pidFile}; exec sleep 1000' & echo started`
  const result = await host.run(ctx, { argv: ['/bin/sh', '-c', script], env: [], timeoutMs })
  assert.equal(result.exitCode, 0)
  assert.equal(result.stdout.toString(), 'started\n')
  const pid = await readPid(pidFile)
  assert.equal(await isAlive(pid), true)
  process.kill(pid, 'SIGKILL')
  await waitUntil('the process to die', async () => !(await isAlive(pid)))
})

test('many programs at once each get their own answer', async t => {
  const { host, ctx } = await startHost(t)
  const numbers = Array.from({ length: 200 }, (_, index) => String(index))
  const results = await Promise.all(
    numbers.map(number => {
      const signal = AbortSignal.timeout(timeoutMs)
      return host.run({ ...ctx, signal }, { argv: ['/bin/echo', number], env: [], timeoutMs })
    }),
  )
  assert.deepEqual(
    results.map(result => result.stdout.toString().trim()),
    numbers,
  )
})
