import assert from 'node:assert/strict'
import test from 'node:test'
import type { Ctx } from '#base/context'
import { isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { createMakeOnce, type Making } from './make-once.ts'
import { createNames } from './names.ts'

function caller(): { ctx: Ctx; leave: () => void } {
  const controller = new AbortController()
  return {
    ctx: { signal: controller.signal, log: silentLog },
    leave: () => {
      controller.abort()
    },
  }
}

function gate(): { work: () => Promise<string>; open: (id: string) => void; runs: () => number } {
  let count = 0
  let open: (id: string) => void = () => undefined
  const promise = new Promise<string>(resolve => {
    open = resolve
  })
  const work = (): Promise<string> => {
    count++
    return promise
  }
  return { work, open, runs: () => count }
}

const pods = { what: 'pod sandbox', stageOf: (id: string) => `stage of ${id}` }
const request = { name: 'web', input: { labels: { a: '1', b: '2' } } }
const sameInOtherOrder = { name: 'web', input: { labels: { b: '2', a: '1' } } }

test('an identical retry joins the running operation', async () => {
  const once = createMakeOnce<string>(pods)
  const { work, open, runs } = gate()
  const first = once.make(caller().ctx, request, work)
  const second = once.make(caller().ctx, sameInOtherOrder, work)
  open('id-1')
  assert.deepEqual(await Promise.all([first, second]), ['id-1', 'id-1'])
  assert.equal(runs(), 1)
})

test('a retry with another config is refused while the operation runs', async () => {
  const once = createMakeOnce<string>(pods)
  const { work, open } = gate()
  const first = once.make(caller().ctx, request, work)
  await assert.rejects(once.make(caller().ctx, { name: 'web', input: {} }, work), err =>
    isKind(err, 'already-exists'),
  )
  open('id-1')
  await first
})

test('what was finished after its caller had left goes to the identical retry, once', async () => {
  const once = createMakeOnce<string>(pods)
  const { work, open } = gate()
  const { ctx, leave } = caller()
  const first = once.make(ctx, request, work)
  leave()
  await assert.rejects(first, err => isKind(err, 'cancelled'))
  open('id-1')
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(await once.make(caller().ctx, sameInOtherOrder, () => Promise.resolve('id-2')), 'id-1')
  assert.equal(await once.make(caller().ctx, request, () => Promise.resolve('id-2')), 'id-2')
})

test('a withdrawn object is not handed out', async () => {
  const once = createMakeOnce<string>(pods)
  once.offer(request, 'id-1')
  once.withdraw('id-1')
  assert.equal(await once.make(caller().ctx, request, () => Promise.resolve('id-2')), 'id-2')
})

test('a failure reaches everybody who waits, and the next call starts afresh', async () => {
  const once = createMakeOnce<string>(pods)
  const fail = (): Promise<string> => Promise.reject(new Error('no network'))
  const both = [once.make(caller().ctx, request, fail), once.make(caller().ctx, request, fail)]
  for (const one of both) await assert.rejects(one, /no network/)
  assert.equal(await once.make(caller().ctx, request, () => Promise.resolve('id-1')), 'id-1')
})

test('who gives up is told that the work goes on, and what it is at', async () => {
  const once = createMakeOnce<string>(pods)
  const { work, open } = gate()
  const { ctx, leave } = caller()
  const first = once.make(ctx, request, making => {
    making.begun('id-1')
    return work()
  })
  leave()
  await assert.rejects(
    first,
    err =>
      isKind(err, 'cancelled') &&
      err.message === 'pod sandbox "web" is still being made (stage of id-1): cancelled',
  )
  open('id-1')
})

test('a call that was given up before it began makes nothing', async () => {
  const once = createMakeOnce<string>(pods)
  const { work, runs } = gate()
  const { ctx, leave } = caller()
  leave()
  await assert.rejects(once.make(ctx, request, work), err => isKind(err, 'cancelled'))
  assert.equal(runs(), 0)
})

test('a retry that comes while a failure is undone waits for that and starts afresh', async () => {
  const once = createMakeOnce<string>(pods)
  let finishUndo: () => void = () => undefined
  const undone = new Promise<void>(resolve => {
    finishUndo = resolve
  })
  const failing = async (making: Making<string>): Promise<string> => {
    await Promise.resolve()
    making.undoing()
    await undone
    throw new Error('no network')
  }
  const first = once.make(caller().ctx, request, failing)
  const early = once.make(caller().ctx, request, failing)
  const failed = Promise.all([first, early].map(one => assert.rejects(one, /no network/)))
  await new Promise(resolve => setImmediate(resolve))
  const { work, open, runs } = gate()
  const late = [request, { name: 'web', input: {} }].map(one => once.make(caller().ctx, one, work))
  const { ctx, leave } = caller()
  const impatient = once.make(ctx, request, work)
  leave()
  await assert.rejects(impatient, err => isKind(err, 'cancelled'))
  assert.equal(runs(), 0)
  finishUndo()
  await failed
  open('id-2')
  // The first of them is under way now; what the other one asks for is something else.
  const [same, other] = late
  assert.equal(await same, 'id-2')
  await assert.rejects(Promise.resolve(other), err => isKind(err, 'already-exists'))
  assert.equal(runs(), 1)
})

test('retries are counted by what became of them', async () => {
  const once = createMakeOnce<string>(pods)
  const { work, open } = gate()
  const { ctx, leave } = caller()
  const calls = [ctx, caller().ctx, caller().ctx].map(each => once.make(each, request, work))
  open('id-1')
  await Promise.all(calls)
  once.offer(request, 'id-1')
  await once.make(caller().ctx, request, work)
  leave()
  assert.deepEqual({ ...once.counts }, { joined: 2, adopted: 1 })
})

test('a taken name is refused and its holder described; only the holder releases it', () => {
  const names = createNames('pod sandbox', id => `${id} is ready`)
  names.reserve('web', 'a')
  names.reserve('web', 'a')
  assert.throws(
    () => {
      names.reserve('web', 'b')
    },
    err => isKind(err, 'already-exists') && /"web" is reserved for "a" \(a is ready\)/.test(err.message),
  )
  names.release('web', 'b')
  assert.equal(names.holder('web'), 'a')
  names.release('web', 'a')
  names.reserve('web', 'b')
})
