import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { streamingLimits } from './limits.ts'
import { forwardRequest } from './testing/streaming-fixture.ts'
import { createTokens } from './tokens.ts'

test('a token is taken once', () => {
  const tokens = createTokens()
  const token = tokens.issue(forwardRequest(80))
  assert.deepEqual(tokens.find(token), forwardRequest(80))
  assert.deepEqual(tokens.take(token), forwardRequest(80))
  assert.equal(tokens.take(token), undefined)
  assert.equal(tokens.find(token), undefined)
})

test('a token lives for a minute', () => {
  let now = 5
  const tokens = createTokens(() => now)
  const old = tokens.issue(forwardRequest(80))
  now += streamingLimits.urlTtlMs - 1
  const young = tokens.issue(forwardRequest(81))
  assert.deepEqual(tokens.find(old), forwardRequest(80))
  now += 1
  assert.equal(tokens.find(old), undefined)
  assert.equal(tokens.take(old), undefined)
  assert.deepEqual(tokens.take(young), forwardRequest(81))
})

test('too many tokens that nobody uses are refused until they are old', () => {
  let now = 0
  const tokens = createTokens(() => now)
  const issued = Array.from({ length: streamingLimits.pendingUrls }, () => tokens.issue(forwardRequest()))
  assert.equal(new Set(issued).size, streamingLimits.pendingUrls)
  assert.throws(
    () => tokens.issue(forwardRequest()),
    (err: unknown) => isKind(err, 'resource-exhausted'),
  )
  tokens.take(issued[7] ?? '')
  tokens.issue(forwardRequest())
  assert.throws(
    () => tokens.issue(forwardRequest()),
    (err: unknown) => isKind(err, 'resource-exhausted'),
  )
  now += streamingLimits.urlTtlMs
  tokens.issue(forwardRequest())
})
