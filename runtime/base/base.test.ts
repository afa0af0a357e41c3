import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { createClock } from './clock.ts'
import { abortError, type Ctx, detached, orAborted, throwIfAborted } from './context.ts'
import { errnoOf, isKind, kindOf, messageOf, RuntimeError, withContext } from './errors.ts'
import { fileError, pathExists, readFileIfExists, removePath, writeFileAtomic } from './files.ts'
import { createIds, digestHex, isDigest, parseContainerId, parseDigest, parsePodId } from './ids.ts'
import { createKeyedLock, createLimiter } from './locks.ts'
import { silentLog } from './log.ts'
import { settleAll } from './settle.ts'
import { createUndoStack } from './undo-stack.ts'

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

function callers(): { ctx: Ctx; abort: (reason?: unknown) => void } {
  const controller = new AbortController()
  return {
    ctx: { signal: controller.signal, log: silentLog },
    abort: reason => {
      controller.abort(reason)
    },
  }
}

test('context keeps the kind and the cause, and puts what was being done first', () => {
  const cause = new RuntimeError('not-found', 'no such layer')
  const err = withContext('cannot pull "x"', cause)
  assert.equal(err.message, 'cannot pull "x": no such layer')
  assert.equal(err.kind, 'not-found')
  assert.equal(err.cause, cause)
  assert.equal(kindOf(new Error('odd')), 'internal')
  assert.equal(messageOf('text'), 'text')
  assert.equal(errnoOf(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
  assert.equal(errnoOf(new Error('x')), undefined)
})

test('an aborted caller is cancelled, one whose time is up has passed its deadline', () => {
  const { ctx, abort } = callers()
  throwIfAborted(ctx)
  abort()
  assert.throws(
    () => {
      throwIfAborted(ctx)
    },
    err => isKind(err, 'cancelled'),
  )
  assert.equal(abortError(AbortSignal.abort(new DOMException('', 'TimeoutError'))).kind, 'deadline-exceeded')
  const own = new RuntimeError('unavailable', 'stopping')
  assert.equal(abortError(AbortSignal.abort(own)), own)
})

test('waiting ends when the caller goes, and what is detached from it goes on', async () => {
  const { ctx, abort } = callers()
  const own = detached(ctx, 60_000)
  const waiting = orAborted(ctx, new Promise<never>(() => undefined))
  abort()
  await assert.rejects(waiting, err => isKind(err, 'cancelled'))
  assert.equal(own.signal.aborted, false)
  assert.equal(await orAborted(own, Promise.resolve(7)), 7)
})

test('undo runs backwards, past a step that fails, and names it', async () => {
  const done: string[] = []
  const undo = createUndoStack(silentLog)
  undo.push('first', () => done.push('first'))
  undo.push('second', () => {
    throw new Error('stuck')
  })
  undo.push('third', ctx => done.push(ctx.signal.aborted ? 'late' : 'third'))
  assert.deepEqual(await undo.run(), ['second'])
  assert.deepEqual(done, ['third', 'first'])
  assert.deepEqual(await undo.run(), [])
})

test('a committed undo stack undoes nothing', async () => {
  const done: string[] = []
  const undo = createUndoStack(silentLog)
  undo.push('step', () => done.push('step'))
  undo.commit()
  assert.deepEqual(await undo.run(), [])
  assert.deepEqual(done, [])
})

test('a keyed lock lets one at a time in per key, in order, also after a failure', async () => {
  const lock = createKeyedLock()
  const seen: string[] = []
  const work =
    (name: string, fails = false) =>
    async (): Promise<void> => {
      seen.push(`${name} in`)
      await nextTurn()
      seen.push(`${name} out`)
      if (fails) throw new Error(name)
    }
  const first = lock.run('a', work('1', true))
  const rest = [lock.run('a', work('2')), lock.run('b', work('other'))]
  await assert.rejects(first, /1/)
  await Promise.all(rest)
  assert.deepEqual(
    seen.filter(entry => !entry.startsWith('other')),
    ['1 in', '1 out', '2 in', '2 out'],
  )
  assert.ok(seen.indexOf('other in') < seen.indexOf('1 out'))
})

test('a limiter runs as many at once as it may, and all in the end', async () => {
  const limiter = createLimiter(3)
  let running = 0
  let most = 0
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running)
    await nextTurn()
    running--
  }
  const failing = limiter.run(() => Promise.reject(new Error('one of them')))
  await Promise.all([assert.rejects(failing), ...Array.from({ length: 10 }, () => limiter.run(work))])
  assert.equal(most, 3)
  assert.equal(running, 0)
})

test('settleAll waits for all before it throws the first failure', async () => {
  let isOver = false
  const slow = nextTurn().then(() => {
    isOver = true
  })
  await assert.rejects(settleAll([Promise.reject(new Error('early')), slow]), /early/)
  assert.equal(isOver, true)
  assert.deepEqual(await settleAll([Promise.resolve(1), Promise.resolve('a')]), [1, 'a'])
})

test('the clock never says the same time twice, and sleep ends early when aborted', async () => {
  const clock = createClock()
  const times = Array.from({ length: 1000 }, () => clock.now())
  assert.equal(new Set(times).size, times.length)
  assert.ok(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0n)))
  await clock.sleep(1)
  await assert.rejects(clock.sleep(60_000, AbortSignal.abort()), err => isKind(err, 'cancelled'))
})

test('the clock follows the system clock when it is set, forwards or back', () => {
  let wallMs = 1_700_000_000_000
  const clock = createClock(() => wallMs)
  const before = clock.now()
  wallMs += 3_600_000
  assert.equal(clock.now() - before, 3_600_000_000_000n)
  wallMs -= 7_200_000
  assert.equal(clock.now(), BigInt(wallMs) * 1_000_000n)
  wallMs -= 5
  assert.equal(clock.now(), BigInt(wallMs + 5) * 1_000_000n + 1n)
})

test('ids have 64 hex digits; nothing else is taken for one', () => {
  const ids = createIds(size => Buffer.alloc(size, 0xab))
  assert.equal(ids.podId(), 'ab'.repeat(32))
  assert.equal(parseContainerId(ids.containerId()), 'ab'.repeat(32))
  assert.equal(digestHex(parseDigest(`sha256:${'0f'.repeat(32)}`)), '0f'.repeat(32))
  for (const bad of ['', 'ab', 'AB'.repeat(32), '../'.padEnd(64, 'a'), `${'ab'.repeat(32)}\n`]) {
    assert.throws(
      () => parsePodId(bad),
      err => isKind(err, 'invalid-argument'),
    )
    assert.throws(
      () => parseContainerId(bad),
      err => isKind(err, 'invalid-argument'),
    )
    assert.equal(isDigest(`sha256:${bad}`), false)
  }
})

test('files are replaced whole, and a failed write leaves the old one and nothing else', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-files-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'record')
  for (const durability of ['process death', 'whole', 'power loss'] as const) {
    await writeFileAtomic(path, durability, { mode: 0o600, durability })
    assert.equal(await readFile(path, 'utf8'), durability)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  }
  await assert.rejects(
    writeFileAtomic(join(directory, 'none/record'), '', { durability: 'whole' }),
    err => isKind(err, 'internal') && err.message.includes('none/record: ENOENT'),
  )
  assert.deepEqual(await readdir(directory), ['record'])
})

test('reading says undefined for what is absent and refuses what is too large', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-files-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'file')
  await writeFile(path, '12345')
  assert.equal((await readFileIfExists(path, 5))?.toString(), '12345')
  await assert.rejects(readFileIfExists(path, 4), err => isKind(err, 'resource-exhausted'))
  assert.equal(await readFileIfExists(join(directory, 'none'), 5), undefined)
  assert.equal(await pathExists(path), true)
  assert.equal(await pathExists(join(path, 'below a file')), false)
  await removePath(path)
  await removePath(path)
  assert.equal(await pathExists(path), false)
})

test('a full disk is told from other failures', () => {
  const full = fileError('cannot write x', Object.assign(new Error('x'), { code: 'ENOSPC' }))
  assert.equal(full.kind, 'resource-exhausted')
  assert.equal(full.message, 'cannot write x: ENOSPC')
  assert.equal(fileError('cannot write x', new Error('odd')).kind, 'internal')
})
