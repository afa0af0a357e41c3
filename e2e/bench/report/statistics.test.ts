import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { quantile, summarize } from './statistics.ts'

describe('quantile', () => {
  const table: readonly (readonly [readonly number[], number, number])[] = [
    [[5], 0.5, 5],
    [[3, 1, 2], 0.5, 2],
    [[1, 2, 3, 4], 0.5, 2.5],
    [[10, 0], 0.95, 9.5],
    [[1, 2, 3], 0, 1],
    [[1, 2, 3], 1, 3],
  ]
  for (const [numbers, share, expected] of table) {
    it(`of ${JSON.stringify(numbers)} at ${share} is ${expected}`, () => {
      assert.equal(quantile(numbers, share), expected)
    })
  }

  it('of nothing is not a number', () => {
    assert.ok(Number.isNaN(quantile([], 0.5)))
  })

  it('leaves the numbers in their order', () => {
    const numbers = [3, 1, 2]
    quantile(numbers, 0.5)
    assert.deepEqual(numbers, [3, 1, 2])
  })
})

describe('summarize', () => {
  it('counts the samples and gives median, 95th percentile and the least of them', () => {
    const samples = Array.from({ length: 101 }, (_, index) => 100 - index)
    assert.deepEqual(summarize(samples), { count: 101, median: 50, p95: 95, least: 0 })
  })
})
