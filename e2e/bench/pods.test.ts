import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { side } from './pods.ts'

describe('side', () => {
  it('does all, so many at a time', async () => {
    let [now, most] = [0, 0]
    const outputs = await side(3, [1, 2, 3, 4, 5, 6, 7], async input => {
      now += 1
      most = Math.max(most, now)
      await Promise.resolve()
      now -= 1
      return input * 2
    })
    assert.equal(most, 3)
    assert.deepEqual(
      [...outputs].sort((a, b) => a - b),
      [2, 4, 6, 8, 10, 12, 14],
    )
  })

  it('begins nothing after a failure, and settles when all that began has ended', async () => {
    const begun: number[] = []
    let ended = 0
    const running = side(2, [1, 2, 3, 4], async input => {
      begun.push(input)
      await Promise.resolve()
      if (input === 1) throw new Error('one')
      await new Promise(resolve => setImmediate(resolve))
      ended += 1
    })
    await assert.rejects(running, /one/)
    assert.deepEqual(begun, [1, 2])
    assert.equal(ended, 1)
  })
})
