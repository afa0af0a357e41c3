import assert from 'node:assert/strict'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import type { AttachSession, ExecSession } from './shim.ts'
import { isAlive, waitUntil } from './testing/host-fixture.ts'
import { pidsWith, readUntil, startShims } from './testing/shim-fixture.ts'

const { SIGKILL, SIGTERM } = constants.signals

async function collect(
  session: AttachSession,
): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const output = { stdout: '', stderr: '' }
  for await (const { stream, data } of session.output) output[stream] += data.toString()
  return { ...output, exitCode: (await session.exited).exitCode }
}

test('an exec answers its output and its exit code', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const session = await container.exec('echo out; echo err >&2; exit 6')
  assert.ok(session.pid > 1)
  assert.deepEqual(await collect(session), { stdout: 'out\n', stderr: 'err\n', exitCode: 6 })
  session.close()
  const left = await readdir(container.spec.bundlePath)
  assert.deepEqual(
    left.filter(name => /^(exec-|console-)/.test(name)),
    [],
  )
})

test('many execs at once each get their own output and exit code, also those that end at once', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const numbers = Array.from({ length: 12 }, (_, number) => number)
  const results = await Promise.all(
    numbers.map(async number => collect(await container.exec(`echo ${number}; exit ${number}`))),
  )
  assert.deepEqual(
    results,
    numbers.map(number => ({ stdout: `${number}\n`, stderr: '', exitCode: number })),
  )
})

test('an exec that cannot be started says why', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  await container.started()
  const spec = {
    execId: 'x',
    hasTty: false,
    hasStdin: false,
    isKilledOnClose: true,
    startTimeoutMs: 30_000,
  }
  await assert.rejects(
    shims.exec(ctx, container.spec.socketPath, { ...spec, processPath: '/nonexistent/process.json' }),
    err => isKind(err, 'failed-precondition') && /process\.json/.test(err.message),
  )
  await assert.rejects(
    shims.exec(ctx, container.spec.socketPath, { ...spec, processPath: 'relative.json' }),
    err => isKind(err, 'invalid-argument'),
  )
  const alive = await container.exec('exit 0')
  assert.equal((await collect(alive)).exitCode, 0)
})

test('input arrives, its end too, whatever its size', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const session = await container.exec('cat | (wc -c 2>/dev/null || busybox wc -c)', { hasStdin: true })
  await session.write(Buffer.alloc(300_000, 'a'))
  await session.write(Buffer.from('end'))
  session.endInput()
  const { stdout, exitCode } = await collect(session)
  assert.equal(stdout.trim(), '300003')
  assert.equal(exitCode, 0)
  await assert.rejects(session.write(Buffer.from('late')), err => isKind(err, 'unavailable'))
})

test('a signal reaches the whole process group even while the input is stuck', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const session = await container.exec('sleep 1000 | sleep 1001', { hasStdin: true })
  // The pipe's end may be seen before that of the process: then the rest is taken and dropped.
  const stuck = session.write(Buffer.alloc(1_000_000)).catch((err: unknown) => {
    assert.ok(isKind(err, 'unavailable'))
  })
  session.kill(SIGTERM)
  const { exitCode } = await collect(session)
  assert.equal(exitCode, 143)
  await stuck
})

test('closing and SIGKILL end the whole session of an exec', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const ends = [
    (session: ExecSession) => {
      session.close()
    },
    (session: ExecSession) => {
      session.kill(SIGKILL)
    },
  ]
  for (const end of ends) {
    const session = await container.exec('set -m; sleep 2001 & sleep 2002 & echo started; wait')
    await readUntil(session, 'started')
    assert.equal(await isAlive(session.pid), true)
    const running = await container.exec('busybox ps -o args')
    assert.match((await collect(running)).stdout, /sleep 2001\n(.*\n)*.*sleep 2002/)
    end(session)
    await waitUntil('the end of the exec', async () => !(await isAlive(session.pid)))
    const after = await container.exec('busybox ps -o args')
    assert.doesNotMatch((await collect(after)).stdout, /sleep 200[12]/)
    session.close()
  }
})

test('an exec that did not ask for it goes on when its client is gone', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const script =
    'echo begun; while [ ! -e /tmp/go ]; do sleep 0.02; done; yes | head -c 200000; echo $? > /tmp/done'
  const session = await container.exec(script, { isKilledOnClose: false })
  session.close()
  await collect(await container.exec('echo > /tmp/go'))
  const after = await container.exec('while [ ! -s /tmp/done ]; do sleep 0.02; done; cat /tmp/done')
  assert.equal((await collect(after)).stdout, '0\n')
})

test('output that nobody takes stops the process, and nothing of it is lost', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const bytes = 8_000_000
  const session = await container.exec(`head -c ${bytes} /dev/zero; echo x > /tmp/written`)
  const look = await container.exec('sleep 0.3; ls /tmp')
  assert.equal((await collect(look)).stdout, '')
  let got = 0
  for await (const { data } of session.output) got += data.length
  assert.equal(got, bytes)
  assert.equal((await session.exited).exitCode, 0)
})

test('a grandchild that keeps the pipe open does not hold back the end of an exec', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const began = Date.now()
  const session = await container.exec('sleep 1000 & echo bye; exit 2')
  assert.deepEqual(await collect(session), { stdout: 'bye\n', stderr: '', exitCode: 2 })
  const took = Date.now() - began
  assert.ok(took >= 500 && took < 5000, `${took} ms`)
})

test('a terminal has a size, echoes, and gives everything as stdout', async t => {
  const { launch } = await startShims(t)
  const container = await launch({})
  await container.started()
  const session = await container.exec('read line; stty size; echo "got $line" >&2; exit 9', {
    hasTty: true,
    hasStdin: true,
  })
  session.resize(33, 101)
  await session.write(Buffer.from('hello\n'))
  const { stdout, stderr, exitCode } = await collect(session)
  assert.equal(stdout, 'hello\r\n33 101\r\ngot hello\r\n')
  assert.deepEqual([stderr, exitCode], ['', 9])
})

test('an exec ends with its container', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  await container.started()
  const session = await container.exec('echo here; sleep 1000')
  await readUntil(session, 'here')
  assert.equal(await shims.kill(ctx, container.spec.socketPath, SIGKILL), true)
  assert.deepEqual(await collect(session), { stdout: '', stderr: '', exitCode: 137 })
  await assert.rejects(
    container.exec('exit 0'),
    err => isKind(err, 'failed-precondition') || isKind(err, 'not-found') || isKind(err, 'unavailable'),
  )
})

test('giving up an exec while it is being started leaves nothing behind', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  await container.started()
  const probe = await container.exec('exit 0')
  await collect(probe)
  const controller = new AbortController()
  const pending = shims.exec({ ...ctx, signal: controller.signal }, container.spec.socketPath, {
    execId: 'x',
    processPath: `${container.spec.bundlePath}/config.json`,
    hasTty: false,
    hasStdin: false,
    isKilledOnClose: true,
    startTimeoutMs: 30_000,
  })
  controller.abort()
  await assert.rejects(pending, err => isKind(err, 'cancelled'))
})

test('a runtime that hangs is killed when its time is up, and its exec is forgotten', async t => {
  const { launch, directory } = await startShims(t)
  const hanging = join(directory, 'hanging-runtime')
  const script = `case "$*" in *" exec "*) sleep 3003 & sleep 3003;; esac\nexec /usr/sbin/runc "$@"\n`
  await writeFile(hanging, `#!/bin/sh\n${script}`)
  await chmod(hanging, 0o755)
  const container = await launch({ runtimePath: hanging })
  await container.started()
  const failures = Array.from({ length: 70 }, async () => {
    await assert.rejects(
      container.exec('exit 0', { startTimeoutMs: 200 }),
      err => isKind(err, 'deadline-exceeded') || (isKind(err, 'unavailable') && /64 execs/.test(err.message)),
    )
  })
  await Promise.all(failures)
  await waitUntil('no runtime is left', async () => (await pidsWith('sleep', '3003')).length === 0)
  await assert.rejects(container.exec('exit 0', { startTimeoutMs: 200 }), err =>
    isKind(err, 'deadline-exceeded'),
  )
  const left = await readdir(container.spec.bundlePath)
  assert.deepEqual(
    left.filter(name => /^exec-/.test(name)),
    [],
  )
})
