import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import type { ExecSession, OutputChunk } from '#shim/shim'
import { createContainerBench, testCtx } from '../testing/container-bench.ts'
import { createExecSync } from './exec-sync.ts'

interface FakeSession extends ExecSession {
  readonly seen: string[]
  /** Resolves when somebody reads the output. */
  readonly isRead: Promise<void>
  readonly isClosed: Promise<void>
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
  let onRead: () => void = () => undefined
  let onClose: () => void = () => undefined
  async function* chunks(): AsyncGenerator<OutputChunk> {
    onRead()
    for (const [stream, text] of output) yield { stream, data: Buffer.from(text) }
    await exited
  }
  return {
    seen,
    pid: 1,
    exited,
    isRead: new Promise(resolve => {
      onRead = resolve
    }),
    isClosed: new Promise(resolve => {
      onClose = resolve
    }),
    output: chunks(),
    write: () => Promise.resolve(),
    endInput: () => undefined,
    resize: () => undefined,
    kill(signal: number) {
      seen.push(`kill ${signal}`)
      end({ exitCode: 137, signal })
    },
    close() {
      seen.push('close')
      onClose()
    },
  }
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

test('a caller that leaves takes its command with it, whether it runs or is just being started', async () => {
  const bench = await createContainerBench()
  const { container } = await bench.addRunning()
  const input = { id: container.id, command: ['x'], timeoutMs: 0 }
  const running = session([], 'hangs')
  const starting = session([], 'hangs')
  const caller = new AbortController()
  const ctx = { ...testCtx, signal: caller.signal }
  bench.shims.onExec = () => running
  const first = createExecSync(bench.deps)(ctx, input)
  await running.isRead
  bench.shims.onExec = () => {
    caller.abort()
    return starting
  }
  const second = createExecSync(bench.deps)(ctx, input)
  await assert.rejects(first, err => isKind(err, 'cancelled'))
  assert.deepEqual(running.seen, ['kill 9', 'close'])
  await assert.rejects(second, err => isKind(err, 'cancelled'))
  await starting.isClosed
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
