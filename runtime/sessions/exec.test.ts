import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import test from 'node:test'
import { isKind, type RuntimeError } from '#base/errors'
import { isAlive, waitUntil } from '#shim/testing/host-fixture'
import { pidsWith } from '#shim/testing/shim-fixture'
import { execLimits } from '../containers/execs.ts'
import type { ExecInput, Session } from '../model/session.ts'
import { type SessionBench, startSessionBench } from '../testing/session-bench.ts'
import { sessionOperations } from './session-operations.ts'

function operations({ deps }: SessionBench): ReturnType<typeof sessionOperations> {
  return sessionOperations({ containers: deps, host: deps.host, ids: deps.ids }, 'k8s.io')
}

function shell(bench: SessionBench, script: string, hasTty = false) {
  const command = ['/bin/sh', '-c', script]
  return { containerId: bench.record.id, command, hasTty, hasStdin: true }
}

async function collect(session: Session): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const output = { stdout: '', stderr: '' }
  for await (const { stream, data } of session.output) output[stream] += data.toString()
  return { ...output, exitCode: (await session.exited).exitCode }
}

async function filesOfExecs({ container }: SessionBench): Promise<string[]> {
  return (await readdir(container.spec.bundlePath)).filter(name => /^(exec|console)-/.test(name))
}

test('a command gets its input, is heard, and tells its exit code', async t => {
  const bench = await startSessionBench(t)
  const session = await operations(bench).exec(
    bench.ctx,
    shell(bench, 'echo err >&2; cat; echo $((6*7)); exit 3'),
  )
  assert.deepEqual(await filesOfExecs(bench), [])
  await session.write(Buffer.from('in\n'))
  session.endInput()
  assert.deepEqual(await collect(session), { stdout: 'in\n42\n', stderr: 'err\n', exitCode: 3 })
  await session.write(Buffer.from('nobody reads this'))
  session.resize({ rows: 1, columns: 1 })
  session.close()
})

test('a terminal has the size that it was given, also in a container without one', async t => {
  const bench = await startSessionBench(t)
  const session = await operations(bench).exec(
    bench.ctx,
    shell(bench, 'read go; stty size; echo $TERM', true),
  )
  session.resize({ rows: 40, columns: 132 })
  await session.write(Buffer.from('go\n'))
  const { stdout, exitCode } = await collect(session)
  assert.equal(stdout, 'go\r\n40 132\r\nxterm\r\n')
  assert.equal(exitCode, 0)
})

test('closing a session, and aborting its context, end every process of it', async t => {
  const bench = await startSessionBench(t)
  for (const how of ['close', 'abort'] as const) {
    const caller = new AbortController()
    const session = await operations(bench).exec(
      { ...bench.ctx, signal: caller.signal },
      shell(bench, 'exec 2>/dev/null; set -m; sleep 3301 & sleep 3302 & echo on; wait'),
    )
    for await (const { data } of session.output) {
      assert.equal(data.toString(), 'on\n')
      if (how === 'close') session.close()
      else caller.abort()
    }
    await assert.rejects(session.exited, err => isKind(err, 'unavailable'))
    await waitUntil('its processes end', async () => (await pidsWith('sleep', '330')).length === 0)
  }
})

test('a caller that is gone before the command runs leaves no process', async t => {
  const bench = await startSessionBench(t)
  const caller = new AbortController()
  const pending = operations(bench).exec(
    { ...bench.ctx, signal: caller.signal },
    shell(bench, 'exec sleep 3311'),
  )
  caller.abort()
  await assert.rejects(pending, err => isKind(err, 'cancelled'))
  const probe = await operations(bench).exec(bench.ctx, shell(bench, 'echo after'))
  assert.equal((await collect(probe)).stdout, 'after\n')
  await waitUntil('its process ends', async () => (await pidsWith('sleep', '3311')).length === 0)
  await waitUntil('its files are gone', async () => (await filesOfExecs(bench)).length === 0)
})

test('what cannot be executed says why', async t => {
  const bench = await startSessionBench(t)
  const sessions = operations(bench)
  const cases: readonly [Partial<ExecInput>, RuntimeError['kind'], RegExp][] = [
    [{ command: ['/bin/absent'] }, 'failed-precondition', /absent/],
    [{ command: [] }, 'invalid-argument', /no command/],
    [{ command: ['a\0b'] }, 'invalid-argument', /NUL/],
    [{ containerId: 'ffff' }, 'not-found', /"ffff" not found/],
  ]
  for (const [input, kind, message] of cases) {
    await assert.rejects(
      sessions.exec(bench.ctx, { ...shell(bench, 'true'), ...input }),
      err => isKind(err, kind) && message.test(err.message),
    )
  }
  const others = sessionOperations(
    { containers: bench.deps, host: bench.deps.host, ids: bench.deps.ids },
    'docker',
  )
  await assert.rejects(others.exec(bench.ctx, shell(bench, 'true')), err => isKind(err, 'not-found'))
  assert.deepEqual(await filesOfExecs(bench), [])
})

test('a container that has ended, known or not yet known, takes no command', async t => {
  const bench = await startSessionBench(t)
  const sessions = operations(bench)
  await bench.shims.kill(bench.ctx, bench.container.spec.socketPath, 9)
  await bench.container.watch.gone
  await assert.rejects(sessions.exec(bench.ctx, shell(bench, 'true')), err =>
    isKind(err, 'failed-precondition'),
  )
  await bench.deps.table.update(bench.record.id, record => ({ ...record, phase: 'exited' }))
  await assert.rejects(
    sessions.exec(bench.ctx, shell(bench, 'true')),
    err => isKind(err, 'failed-precondition') && /exited, not running/.test(err.message),
  )
})

test('sessions have a limit of their own, and room again when one ends', async t => {
  const bench = await startSessionBench(t)
  const sessions = operations(bench)
  const opened = await Promise.all(
    Array.from({ length: execLimits.sessionsAtOnce }, () =>
      sessions.exec(bench.ctx, shell(bench, 'exec cat')),
    ),
  )
  await assert.rejects(sessions.exec(bench.ctx, shell(bench, 'true')), err =>
    isKind(err, 'resource-exhausted'),
  )
  const [first, ...others] = opened
  assert.ok(first)
  first.endInput()
  assert.equal((await collect(first)).exitCode, 0)
  const another = await sessions.exec(bench.ctx, shell(bench, 'exit 5'))
  assert.equal((await collect(another)).exitCode, 5)
  for (const session of others) session.close()
  const shimPid = await bench.container.shimPid()
  assert.ok(shimPid !== undefined && (await isAlive(shimPid)))
})
