import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import { freeSelinuxLevel } from './selinux-level.ts'

test('a pod gets two categories in order that no other pod has', () => {
  const numbers = [7, 7, 9, 3, 3, 9, 12, 5]
  const random = (): number => numbers.shift() ?? 0
  assert.equal(freeSelinuxLevel([{ selinuxLevel: 's0:c3,c9' }, {}], random), 's0:c5,c12')
})

test('levels are of the range that the policy knows', () => {
  for (let count = 0; count < 200; count++) {
    const [, low, high] = /^s0:c(\d+),c(\d+)$/.exec(freeSelinuxLevel([])) ?? []
    assert.ok(Number(low) < Number(high) && Number(high) < 1024)
  }
})

test('the search for a free level ends', () => {
  let next = 0
  assert.throws(
    () => freeSelinuxLevel([{ selinuxLevel: 's0:c0,c1' }], () => next++ % 2),
    err => isKind(err, 'resource-exhausted'),
  )
})
