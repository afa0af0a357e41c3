import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import test from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { isKind } from '#base/errors'
import { waitUntil } from '#shim/testing/host-fixture'
import { pidsWith } from '#shim/testing/shim-fixture'
import type { ExecSyncResult } from '../engine.ts'
import { type SessionBench, startSessionBench } from '../testing/session-bench.ts'
import { createExecSync } from './exec-sync.ts'

function run(bench: SessionBench, script: string, timeoutMs = 0): Promise<ExecSyncResult> {
  const command = ['/bin/sh', '-c', script]
  return createExecSync(bench.deps)(bench.ctx, { id: bench.record.id, command, timeoutMs })
}

async function shimPid(bench: SessionBench): Promise<number> {
  const pid = await bench.container.shimPid()
  assert.ok(pid !== undefined)
  return pid
}

/** Of the shim, and of this process, which is its client. */
async function openFiles(bench: SessionBench): Promise<readonly number[]> {
  const pids = [await shimPid(bench), process.pid]
  return Promise.all(pids.map(async pid => (await readdir(`/proc/${pid}/fd`)).length))
}

/** What an exec may leave behind: its files, its descriptors, children of the shim beside init. */
async function assertNothingLeft(bench: SessionBench, filesBefore: readonly number[]): Promise<void> {
  const names = await readdir(bench.container.spec.bundlePath)
  assert.deepEqual(
    names.filter(name => name.startsWith('exec-')),
    [],
  )
  const pid = await shimPid(bench)
  await waitUntil('only init is left', async () => {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return children.trim().split(' ').length === 1
  })
  await waitUntil('the descriptors are closed', async () =>
    isDeepStrictEqual(await openFiles(bench), filesBefore),
  )
}

test('the answer comes when the command ends, though a grandchild keeps its output open', async t => {
  const bench = await startSessionBench(t)
  const began = performance.now()
  const { stdout, exitCode } = await run(bench, 'sleep 3401 & echo begun; exit 4')
  assert.deepEqual([stdout.toString(), exitCode], ['begun\n', 4])
  assert.ok(performance.now() - began < 3000)
})

test('after the time-out every process of the command is gone, and nothing is left of it', async t => {
  const bench = await startSessionBench(t)
  await run(bench, 'true')
  const before = await openFiles(bench)
  const script = 'set -m; trap "" TERM INT HUP; sleep 3402 & (sleep 3403; true) & sleep 3404'
  const began = performance.now()
  await assert.rejects(run(bench, script, 300), err => isKind(err, 'deadline-exceeded'))
  assert.ok(performance.now() - began < 3000)
  assert.deepEqual(await pidsWith('sleep', '340'), [])
  await assertNothingLeft(bench, before)
})

test('a command may write more than is kept: it goes on, and the beginning is answered', async t => {
  const bench = await startSessionBench(t)
  const limit = bench.deps.limits.execSyncBytes
  const bytes = limit + 5_000_000
  const script = `head -c ${bytes} /dev/zero; head -c ${bytes} /dev/zero >&2; echo > /tmp/whole; exit 6`
  const { stdout, stderr, exitCode } = await run(bench, script)
  assert.deepEqual([stdout.length, stderr.length, exitCode], [limit, limit, 6])
  assert.equal((await run(bench, 'ls /tmp')).stdout.toString(), 'whole\n')
})

test('two hundred commands at once all get their turn', async t => {
  const bench = await startSessionBench(t)
  await run(bench, 'true')
  const before = await openFiles(bench)
  const numbers = Array.from({ length: 200 }, (_, number) => number)
  const results = await Promise.all(
    numbers.map(number => run(bench, `echo ${number}; echo e${number} >&2; exit ${number % 50}`)),
  )
  assert.deepEqual(
    results.map(({ stdout, stderr, exitCode }) => [stdout.toString(), stderr.toString(), exitCode]),
    numbers.map(number => [`${number}\n`, `e${number}\n`, number % 50]),
  )
  await assertNothingLeft(bench, before)
})
