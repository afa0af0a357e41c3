import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { api } from '#nri-proto'
import { chunks } from './synchronize.ts'

const things = fc.array(fc.record({ id: fc.uuid(), name: fc.string({ maxLength: 100 }) }), { maxLength: 40 })

test('everything is told once, in messages that are not too large, all but the last say that more comes', () => {
  fc.assert(
    fc.property(things, things, fc.integer({ min: 200, max: 2000 }), (pods, containers, limit) => {
      const requests = chunks({ pods, containers }, limit)
      assert.deepEqual(
        requests.flatMap(request => request.pods ?? []),
        pods,
      )
      assert.deepEqual(
        requests.flatMap(request => request.containers ?? []),
        containers,
      )
      for (const [index, request] of requests.entries()) {
        assert.equal(request.more, index < requests.length - 1)
        const items = [...(request.pods ?? []), ...(request.containers ?? [])].length
        const { length } = api.SynchronizeRequest.encode(request).finish()
        // Each item has a tag and a length, too.
        assert.ok(items <= 1 || length <= limit + items * 4 + 2, `${length} bytes`)
      }
    }),
  )
})

test('a plugin is synchronized also when there is nothing', () => {
  assert.deepEqual(chunks({ pods: [], containers: [] }), [{ pods: [], containers: [], more: false }])
})
