import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RuntimeError } from '#base/errors'
import type { Program, ProgramResult } from '#base/programs'
import { testCtx } from '../testing/container-bench.ts'
import { whilePaused } from './frozen.ts'

const containers = ['a', 'b'].map(id => ({
  id,
  runtimePath: '/runc',
  runtimeRoot: '/rr',
  hasSystemdCgroup: id === 'b',
}))

/** Writes down the calls; those that end with a word of `failing` fail. */
function programs(failing: readonly string[] = []): {
  readonly calls: string[]
  run(ctx: unknown, program: Program): Promise<ProgramResult>
} {
  const calls: string[] = []
  return {
    calls,
    run(_ctx, { argv }) {
      const call = argv.slice(-2).join(' ')
      calls.push(call)
      const exitCode = failing.includes(call) ? 1 : 0
      return Promise.resolve({ exitCode, stdout: Buffer.alloc(0), stderr: Buffer.from('no freezer') })
    },
  }
}

test('all are paused before the work, and resumed after it', async () => {
  const fake = programs()
  const work = (): Promise<void> => Promise.resolve(void fake.calls.push('work'))
  await whilePaused(testCtx, fake, { containers, work })
  assert.deepEqual(fake.calls, ['pause a', 'pause b', 'work', 'resume a', 'resume b'])
})

test('one that cannot be paused keeps the work from beginning; all that may be paused are resumed', async () => {
  const fake = programs(['pause b'])
  const work = (): Promise<void> => Promise.resolve(void fake.calls.push('work'))
  await assert.rejects(whilePaused(testCtx, fake, { containers, work }), {
    kind: 'failed-precondition',
    message: /"b" cannot be paused: no freezer/,
  })
  assert.deepEqual(fake.calls, ['pause a', 'pause b', 'resume a', 'resume b'])
})

test('the error of the work is told, also when a container cannot be resumed', async () => {
  const fake = programs(['resume a'])
  const work = (): Promise<void> => Promise.reject(new RuntimeError('resource-exhausted', 'disk full'))
  await assert.rejects(whilePaused(testCtx, fake, { containers, work }), { kind: 'resource-exhausted' })
  assert.deepEqual(fake.calls.slice(-2), ['resume a', 'resume b'])
})

test('one that stays paused is an error', async () => {
  const fake = programs(['resume b'])
  await assert.rejects(whilePaused(testCtx, fake, { containers, work: () => Promise.resolve() }), {
    kind: 'internal',
    message: /"b" cannot be resumed/,
  })
})

test('a pause that loses its race against a container that forks is tried again', async () => {
  const fake = programs()
  const losing = { left: 2 }
  const run = async (ctx: unknown, program: Program): Promise<ProgramResult> => {
    const result = await fake.run(ctx, program)
    if (!program.argv.includes('pause') || losing.left-- <= 0) return result
    return { ...result, exitCode: 1, stderr: Buffer.from('level=error msg="unable to freeze"') }
  }
  await whilePaused(testCtx, { run }, { containers, work: () => Promise.resolve() })
  assert.deepEqual(fake.calls.slice(0, 4), ['pause a', 'pause a', 'pause a', 'pause b'])
})

test('they are resumed when the caller is gone', async () => {
  const fake = programs()
  const gone = new AbortController()
  const work = (): Promise<void> => {
    gone.abort()
    return Promise.reject(new RuntimeError('cancelled', 'gone'))
  }
  await assert.rejects(whilePaused({ ...testCtx, signal: gone.signal }, fake, { containers, work }), {
    kind: 'cancelled',
  })
  assert.deepEqual(fake.calls, ['pause a', 'pause b', 'resume a', 'resume b'])
})
