import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isKind, RuntimeError } from '#base/errors'
import { createRecordingLog } from '../testing/door-fixture.ts'
import { type PageInput, type RunningPage, servePage } from './serve-page.ts'

const text = 'lighter_ready 1\n'

async function open(t: TestContext, changes: Partial<PageInput> = {}): Promise<RunningPage> {
  const page = await servePage({
    address: '127.0.0.1',
    port: 0,
    render: () => Promise.resolve(text),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    log: createRecordingLog(),
    ...changes,
  })
  t.after(() => page.stop())
  return page
}

async function raw(t: TestContext, { url }: RunningPage): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** All that the server says until it closes the connection. */
async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

test('GET answers the page, HEAD only its head', async t => {
  const { url } = await open(t)
  const answer = await fetch(`${url}?a=b`)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(await answer.text(), text)
  const head = await fetch(url, { method: 'HEAD' })
  assert.equal(head.headers.get('content-length'), String(text.length))
  assert.equal(await head.text(), '')
})

const refused: readonly (readonly [what: string, request: string, status: string])[] = [
  ['another path', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', '404'],
  ['a path below', 'GET /metrics/../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n', '404'],
  ['another method', 'DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n', '405'],
  ['a body', 'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxxx', '405'],
  ['no HTTP', 'hello\r\n\r\n', '400'],
  ['headers that are too large', `GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(9000)}\r\n\r\n`, '431'],
]

for (const [what, request, status] of refused) {
  test(`${what} is answered ${status} and the connection is closed`, async t => {
    const socket = await raw(t, await open(t))
    socket.write(request)
    assert.match(await untilClosed(socket), new RegExp(`^HTTP/1.1 ${status} `))
  })
}

test('405 says what is allowed', async t => {
  const answer = await fetch((await open(t)).url, { method: 'PUT' })
  assert.equal(answer.headers.get('allow'), 'GET, HEAD')
})

const slow: readonly (readonly [what: string, sent: string])[] = [
  ['sends half a request', 'GET /metrics HTTP/1.1\r\nHost: x\r\n'],
  ['says nothing', ''],
]

for (const [what, sent] of slow) {
  test(`a client that ${what} is cut off`, async t => {
    const socket = await raw(t, await open(t, { limits: { requestMs: 100, idleMs: 200 } }))
    if (sent !== '') socket.write(sent)
    assert.match(await untilClosed(socket), /^(HTTP\/1.1 408 .*)?/)
  })
}

test('a client that does not take the answer is cut off', async t => {
  const large = 'x'.repeat(32 * 1024 * 1024)
  const page = await open(t, { render: () => Promise.resolve(large), limits: { answerMs: 200 } })
  const socket = await raw(t, page)
  socket.pause()
  socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
  await delay(400)
  assert.ok((await untilClosed(socket.resume())).length < large.length)
})

test('connections are bounded', async t => {
  const page = await open(t, { limits: { connections: 1 } })
  const first = await raw(t, page)
  const second = await raw(t, page)
  assert.equal(await untilClosed(second), '')
  assert.equal(first.closed, false)
})

test('those who come while the page is made share it', async t => {
  let renders = 0
  let finish: () => void = () => undefined
  const made = new Promise<void>(resolve => {
    finish = resolve
  })
  const page = await open(t, {
    async render() {
      renders++
      await made
      return text
    },
  })
  const first = fetch(page.url)
  const second = await raw(t, page)
  const all = untilClosed(second)
  // The server says "continue" when it has taken the request.
  second.write('GET /metrics HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n')
  const [interim] = (await once(second, 'data')) as [Buffer]
  assert.match(interim.toString(), /^HTTP\/1.1 100 /)
  while (renders === 0) await delay(1)
  finish()
  assert.equal(await (await first).text(), text)
  assert.match(await all, /lighter_ready 1\n$/)
  assert.equal(renders, 1)
  assert.equal(await (await fetch(page.url)).text(), text)
  assert.equal(renders, 2)
})

test('a page that cannot be made is 500 without a word why, and the log has it', async t => {
  const log = createRecordingLog()
  const { url } = await open(t, {
    log,
    render: () => Promise.reject(new RuntimeError('internal', 'secret')),
  })
  const answer = await fetch(url)
  assert.equal(answer.status, 500)
  assert.equal(await answer.text(), 'internal error\n')
  assert.match(log.text(), /secret/)
})

test('a port that is taken is one clear error', async t => {
  const { url } = await open(t)
  const port = Number(new URL(url).port)
  await assert.rejects(
    open(t, { port }),
    err => isKind(err, 'failed-precondition') && err.message.includes(`port ${port}: EADDRINUSE`),
  )
})

test('stop ends connections that are kept open', async t => {
  const page = await open(t)
  const socket = await raw(t, page)
  await page.stop()
  await untilClosed(socket)
})
