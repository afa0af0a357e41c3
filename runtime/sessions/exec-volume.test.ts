import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import type { Session } from '../model/session.ts'
import { type SessionBench, startSessionBench } from '../testing/session-bench.ts'
import { sessionOperations } from './session-operations.ts'

const mebibyte = 1024 * 1024
const shimKibMax = 1024
const growthBytesMax = 64 * mebibyte

function exec({ deps, ctx, record }: SessionBench, script: string): Promise<Session> {
  const sessions = sessionOperations({ containers: deps, host: deps.host, ids: deps.ids }, 'k8s.io')
  const command = ['/bin/sh', '-c', script]
  return sessions.exec(ctx, { containerId: record.id, command, hasTty: false, hasStdin: true })
}

/** The most memory that the shim ever had, in KiB. */
async function shimPeakKib({ container }: SessionBench): Promise<number> {
  const status = await readFile(`/proc/${(await container.shimPid()) ?? 0}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1])
}

test('much output arrives whole', async t => {
  const bench = await startSessionBench(t)
  const script = `head -c ${16 * mebibyte} /dev/urandom > /tmp/x; busybox sha256sum /tmp/x >&2;
    for i in 1 2 3 4 5 6 7 8; do cat /tmp/x; done`
  const session = await exec(bench, script)
  const pieces = Array.from({ length: 8 }, () => createHash('sha256'))
  let bytes = 0
  let sum = ''
  for await (const { stream, data } of session.output) {
    if (stream === 'stderr') {
      sum += data.toString()
      continue
    }
    for (let at = 0; at < data.length; ) {
      const room = 16 * mebibyte - (bytes % (16 * mebibyte))
      const part = data.subarray(at, at + room)
      pieces[Math.floor(bytes / (16 * mebibyte))]?.update(part)
      bytes += part.length
      at += part.length
    }
  }
  assert.equal((await session.exited).exitCode, 0)
  assert.equal(bytes, 8 * 16 * mebibyte)
  assert.deepEqual(new Set(pieces.map(piece => piece.digest('hex'))), new Set([sum.slice(0, 64)]))
  assert.ok((await shimPeakKib(bench)) < shimKibMax)
})

test('a reader that stands still costs no memory, and misses nothing', async t => {
  const bench = await startSessionBench(t)
  const bytes = 256 * mebibyte
  const session = await exec(bench, `head -c ${bytes} /dev/zero`)
  const before = process.memoryUsage().rss
  const other = await exec(bench, 'sleep 0.5; echo done')
  for await (const { data } of other.output) assert.equal(data.toString(), 'done\n')
  assert.ok(process.memoryUsage().rss - before < growthBytesMax)
  assert.ok((await shimPeakKib(bench)) < shimKibMax)
  let got = 0
  for await (const { data } of session.output) got += data.length
  assert.equal(got, bytes)
})

test('input is taken as fast as the command reads it, and not faster', async t => {
  const bench = await startSessionBench(t)
  const piece = Buffer.alloc(mebibyte, 'x')
  const fifo = await exec(bench, 'busybox mkfifo /tmp/go')
  assert.equal((await fifo.exited).exitCode, 0)
  const reading = await exec(bench, 'read go < /tmp/go; busybox wc -c')
  let written = 0
  const writing = (async () => {
    for (; written < 32 * mebibyte; written += piece.length) await reading.write(piece)
    reading.endInput()
  })()
  const releasing = await exec(bench, 'sleep 0.3; echo go > /tmp/go')
  assert.equal(written, 0) // a pipe holds 64 KiB
  assert.equal((await releasing.exited).exitCode, 0)
  await writing
  let text = ''
  for await (const { data } of reading.output) text += data.toString()
  assert.equal(text.trim(), String(32 * mebibyte))
})
