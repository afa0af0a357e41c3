import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { testCtx } from '../testing/container-bench.ts'
import { createTurns } from './turns.ts'

const limits = { atOnce: 2, waiting: 3, what: 'work of' }

/** Lets everything that can go on go on. */
async function settle(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

test('who waits gets a turn in order, for each key on its own', async () => {
  const turns = createTurns(limits)
  const order: string[] = []
  const take = async (key: string, name: string): Promise<() => void> => {
    const end = await turns.take(testCtx, key)
    order.push(name)
    return end
  }
  const endFirst = await take('a', 'a1')
  const endSecond = await take('a', 'a2')
  const third = take('a', 'a3')
  const fourth = take('a', 'a4')
  const endOther = await take('b', 'b1')
  await settle()
  assert.deepEqual(order, ['a1', 'a2', 'b1'])
  endSecond()
  endFirst()
  ;(await third)()
  ;(await fourth)()
  assert.deepEqual(order, ['a1', 'a2', 'b1', 'a3', 'a4'])
  endOther()
  const again = await Promise.all([take('a', 'a5'), take('a', 'a6')])
  for (const end of again) end()
})

test('more callers than may wait are refused', async () => {
  const turns = createTurns({ ...limits, waiting: 0 })
  const ends = [await turns.take(testCtx, 'a'), await turns.take(testCtx, 'a')]
  await assert.rejects(
    turns.take(testCtx, 'a'),
    err => isKind(err, 'resource-exhausted') && /work of "a": 2 run/.test(err.message),
  )
  ends[0]?.()
  ;(await turns.take(testCtx, 'a'))()
})

test('a caller that leaves loses its place and nobody elses', async () => {
  const turns = createTurns({ ...limits, atOnce: 1 })
  const end = await turns.take(testCtx, 'a')
  const caller = new AbortController()
  const leaving = turns.take({ signal: caller.signal, log: silentLog }, 'a')
  const next = turns.take(testCtx, 'a')
  caller.abort()
  await assert.rejects(leaving, err => isKind(err, 'cancelled'))
  end()
  ;(await next)()
  await assert.rejects(turns.take({ signal: caller.signal, log: silentLog }, 'a'), err =>
    isKind(err, 'cancelled'),
  )
  ;(await turns.take(testCtx, 'a'))()
})
