import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import type { ExecSession, OutputChunk } from '#shim/shim'
import { createContainerBench, testCtx } from '../testing/container-bench.ts'
import { createExecSync } from './exec-sync.ts'

interface FakeSession extends ExecSession {
  readonly seen: string[]
}

/** Writes what it is given; one that hangs ends when it is killed. */
function session(
  output: readonly (readonly ['stdout' | 'stderr', string])[],
  ending: number | 'hangs',
): FakeSession {
  const seen: string[] = []
  let end: (value: { exitCode: number; signal: number }) => void = () => undefined
  const exited = new Promise<{ exitCode: number; signal: number }>(resolve => {
    end = resolve
  })
  if (ending !== 'hangs') end({ exitCode: ending, signal: 0 })
  return {
    seen,
    pid: 1,
    exited,
    output: chunks(output, exited),
    write: () => Promise.resolve(),
    endInput: () => undefined,
    resize: () => undefined,
    kill(signal: number) {
      seen.push(`kill ${signal}`)
      end({ exitCode: 137, signal })
    },
    close() {
      seen.push('close')
    },
  }
}

async function* chunks(
  output: readonly (readonly ['stdout' | 'stderr', string])[],
  exited: Promise<unknown>,
): AsyncGenerator<OutputChunk> {
  for (const [stream, text] of output) yield { stream, data: Buffer.from(text) }
  await exited
}

test('a command answers with its output, cut at the limit, and its exit code', async () => {
  const bench = await createContainerBench()
  const { container } = await bench.addRunning()
  const run = session(
    [
      ['stdout', '12345'],
      ['stderr', 'oops'],
      ['stdout', '67890'],
    ],
    3,
  )
  bench.shims.onExec = () => run
  const result = await createExecSync(bench.deps)(testCtx, { id: container.id, command: ['x'], timeoutMs: 0 })
  assert.equal(result.stdout.toString(), '12345678')
  assert.equal(result.stderr.toString(), 'oops')
  assert.equal(result.exitCode, 3)
  assert.deepEqual(run.seen, ['close'])
})

test('a command that takes too long is killed, and the error says so', async t => {
  const alive = setInterval(() => undefined, 1000) // the timer of a signal alone does not keep a process
  t.after(() => {
    clearInterval(alive)
  })
  const bench = await createContainerBench()
  const { container } = await bench.addRunning()
  const run = session([], 'hangs')
  bench.shims.onExec = () => run
  await assert.rejects(
    createExecSync(bench.deps)(testCtx, { id: container.id, command: ['sleep', '9'], timeoutMs: 20 }),
    err => isKind(err, 'deadline-exceeded') && err.message.includes('"sleep 9"'),
  )
  assert.deepEqual(run.seen, ['kill 9', 'close'])
})

test('a caller that leaves takes its command with it', async () => {
  const bench = await createContainerBench()
  const { container } = await bench.addRunning()
  const run = session([], 'hangs')
  const caller = new AbortController()
  bench.shims.onExec = () => {
    setImmediate(() => {
      caller.abort()
    })
    return run
  }
  await assert.rejects(
    createExecSync(bench.deps)(
      { ...testCtx, signal: caller.signal },
      { id: container.id, command: ['x'], timeoutMs: 0 },
    ),
    err => isKind(err, 'cancelled'),
  )
  assert.deepEqual(run.seen, ['kill 9', 'close'])
})

test('nothing is executed in a container that does not run, and no empty command', async () => {
  const bench = await createContainerBench()
  const { container } = await bench.addRunning()
  const exec = createExecSync(bench.deps)
  await assert.rejects(exec(testCtx, { id: container.id, command: [], timeoutMs: 0 }), err =>
    isKind(err, 'invalid-argument'),
  )
  await assert.rejects(exec(testCtx, { id: 'ffff', command: ['x'], timeoutMs: 0 }), err =>
    isKind(err, 'not-found'),
  )
  await bench.deps.supervisor.record(testCtx, container.id, { kind: 'failed', message: '' })
  await assert.rejects(exec(testCtx, { id: container.id, command: ['x'], timeoutMs: 0 }), err =>
    isKind(err, 'failed-precondition'),
  )
})
