import assert from 'node:assert/strict'
import test from 'node:test'
import { createCapture } from './output-capture.ts'

test('the beginning is kept, whatever the pieces', () => {
  const whole = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 251))
  for (const limit of [0, 1, 4095, 4096, 4097, 49_999, 50_000, 60_000]) {
    for (const pieceBytes of [1, 7, 4096, 50_000]) {
      const capture = createCapture(limit)
      for (let at = 0; at < whole.length; at += pieceBytes) capture.add(whole.subarray(at, at + pieceBytes))
      assert.ok(capture.bytes().equals(whole.subarray(0, limit)), `${limit} ${pieceBytes}`)
    }
  }
})
