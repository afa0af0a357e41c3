import assert from 'node:assert/strict'
import test from 'node:test'
import { deferred } from '../testing/deferred.ts'
import { createGate } from './gate.ts'

test('many share, one excludes all who come after it until it is done', async () => {
  const gate = createGate()
  const log: string[] = []
  const [first, second, alone] = [deferred<undefined>(), deferred<undefined>(), deferred<undefined>()]
  const step = (name: string, until: Promise<unknown>) => async () => {
    log.push(`${name} begins`)
    await until
    log.push(`${name} ends`)
  }
  const work = [
    gate.shared(step('a', first.promise)),
    gate.shared(step('b', second.promise)),
    gate.exclusive(step('x', alone.promise)),
    gate.shared(step('c', Promise.resolve())),
  ]
  second.resolve(undefined)
  first.resolve(undefined)
  alone.resolve(undefined)
  await Promise.all(work)
  assert.deepEqual(log.slice(0, 2), ['a begins', 'b begins'])
  assert.deepEqual(log.slice(2, 4).sort(), ['a ends', 'b ends'])
  assert.deepEqual(log.slice(4), ['x begins', 'x ends', 'c begins', 'c ends'])
})

test('work that fails does not hold up what comes after it', async () => {
  const gate = createGate()
  const fails = (): Promise<never> => Promise.reject(new Error('no'))
  await assert.rejects(gate.shared(fails))
  await assert.rejects(gate.exclusive(fails))
  assert.equal(await gate.shared(() => Promise.resolve(1)), 1)
  assert.equal(await gate.exclusive(() => Promise.resolve(2)), 2)
})
