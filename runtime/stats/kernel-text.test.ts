import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bigintOf, parseBlkio, parseIoStat, parseNetDevices, softFilesLimit, valueOf } from './kernel-text.ts'

const values = [
  { text: 'a 1\nb 2\n', key: 'a', value: 1 },
  { text: 'a 1\nb 2\n', key: 'b', value: 2 },
  { text: 'a 1\nb 2', key: 'b', value: 2 },
  { text: 'total_rss 9\nrss 3\n', key: 'rss', value: 3 },
  { text: 'rss_huge 9\n', key: 'rss', value: undefined },
  { text: 'b max\n', key: 'b', value: undefined },
  { text: 'b -1\n', key: 'b', value: undefined },
  { text: '', key: 'b', value: undefined },
]
for (const { text, key, value } of values) {
  test(`the value of ${key} in ${JSON.stringify(text)} is ${String(value)}`, () => {
    assert.equal(valueOf(text, key), value)
  })
}

test('counters may be larger than a number holds', () => {
  assert.equal(bigintOf('usage_usec 9007199254740993\n', 'usage_usec'), 9007199254740993n)
  assert.equal(bigintOf('', 'usage_usec'), 0n)
})

test('network devices: odd names, lines that are cut, and the loopback device', () => {
  const counts = '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16'
  const text = `Inter-|   Receive\n face |bytes\n    lo: ${counts}\neth0:1:${counts}\nveth-x@y: ${counts}\n  net1: 1 2 3`
  assert.deepEqual(
    parseNetDevices(text).map(({ name, rx, tx }) => [name, rx.bytes, rx.dropped, tx.bytes, tx.dropped]),
    [
      ['eth0:1', 1, 4, 9, 12],
      ['veth-x@y', 1, 4, 9, 12],
    ],
  )
})

test('block devices without numbers are left out', () => {
  assert.deepEqual(parseBlkio('8:0 Read 1\n8:0 Total\nTotal 1\nx\n'), { '8:0': { Read: 1 } })
  assert.deepEqual(parseIoStat('8:0 \n8:16 rbytes=1 rios=2 cost.usage=3\n'), {
    bytes: { '8:16': { Read: 1 } },
    operations: { '8:16': { Read: 2 } },
  })
})

test('the limit of open files', () => {
  const line = 'Max open files            1024                 524288               files     \n'
  assert.equal(softFilesLimit(`Limit\n${line}`), 1024)
  assert.equal(softFilesLimit(line.replace('1024 ', 'unlimited')), undefined)
  assert.equal(softFilesLimit(''), undefined)
})
