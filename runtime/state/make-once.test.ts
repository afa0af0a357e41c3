import assert from 'node:assert/strict'
import test from 'node:test'
import type { Ctx } from '#base/context'
import { isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { createMakeOnce } from './make-once.ts'
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

const request = { name: 'web', input: { labels: { a: '1', b: '2' } } }
const sameInOtherOrder = { name: 'web', input: { labels: { b: '2', a: '1' } } }

test('an identical retry joins the running operation', async () => {
  const once = createMakeOnce<string>('pod sandbox')
  const { work, open, runs } = gate()
  const first = once.make(caller().ctx, request, work)
  const second = once.make(caller().ctx, sameInOtherOrder, work)
  open('id-1')
  assert.deepEqual(await Promise.all([first, second]), ['id-1', 'id-1'])
  assert.equal(runs(), 1)
})

test('a retry with another config is refused while the operation runs', async () => {
  const once = createMakeOnce<string>('pod sandbox')
  const { work, open } = gate()
  const first = once.make(caller().ctx, request, work)
  await assert.rejects(once.make(caller().ctx, { name: 'web', input: {} }, work), err =>
    isKind(err, 'already-exists'),
  )
  open('id-1')
  await first
})

test('what was finished after its caller had left goes to the identical retry, once', async () => {
  const once = createMakeOnce<string>('pod sandbox')
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
  const once = createMakeOnce<string>('pod sandbox')
  once.offer(request, 'id-1')
  once.withdraw('id-1')
  assert.equal(await once.make(caller().ctx, request, () => Promise.resolve('id-2')), 'id-2')
})

test('a failure reaches everybody who waits, and the next call starts afresh', async () => {
  const once = createMakeOnce<string>('pod sandbox')
  const fail = (): Promise<string> => Promise.reject(new Error('no network'))
  const both = [once.make(caller().ctx, request, fail), once.make(caller().ctx, request, fail)]
  for (const one of both) await assert.rejects(one, /no network/)
  assert.equal(await once.make(caller().ctx, request, () => Promise.resolve('id-1')), 'id-1')
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
