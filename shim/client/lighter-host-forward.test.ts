import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { namespaceFlags } from './host.ts'
import { type HostFixture, isAlive, startHost, waitUntil } from './testing/host-fixture.ts'

/** Answers the port of a server on localhost, which is closed when the test ends. */
async function listen(
  t: TestContext,
  onClient: (client: Socket) => void,
  host = '127.0.0.1',
): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, onClient)
  server.listen(0, host)
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address && typeof address === 'object')
  return address.port
}

async function forwardTo(fixture: HostFixture, port: number, networkPath?: string): Promise<Duplex> {
  const socketPath = join(fixture.directory, randomBytes(4).toString('hex'))
  return fixture.host.forward(fixture.ctx, { networkPath, port, socketPath })
}

/** What comes until the other side ends; the stream stays usable, which the end of an iteration would not leave it. */
async function textOf(stream: Duplex): Promise<string> {
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(stream, 'end')
  return text
}

/** A server that upper-cases what it is sent, in a network namespace of its own; its port, its pin. */
async function serveInNamespace(t: TestContext, { host, ctx, directory }: HostFixture): Promise<string> {
  const pins = join(directory, 'pins')
  await mkdir(pins)
  const flags = namespaceFlags.network
  await host.createSandbox(ctx, { directory: pins, flags, sysctls: [], shmBytes: 0, pauseCgroups: [] })
  const script = `require('node:net').createServer({ allowHalfOpen: true }, client => {
    let text = ''
    client.on('data', chunk => { text += chunk })
    client.on('end', () => { client.end(text.toUpperCase()) })
  }).listen(8080, '127.0.0.1', () => console.log('ready'))`
  const server: ChildProcess = spawn(
    '/usr/bin/nsenter',
    [`--net=${pins}/net`, process.execPath, '-e', script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  t.after(() => server.kill('SIGKILL'))
  assert.ok(server.stdout)
  await once(server.stdout, 'data')
  return join(pins, 'net')
}

/** Children of lighter-host that serve connections; there is no other long-lived one in these tests. */
async function relays(): Promise<number[]> {
  const [host] = (await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8'))
    .trim()
    .split(' ')
    .slice(-1)
  const children = await readFile(`/proc/${host ?? ''}/task/${host ?? ''}/children`, 'utf8')
  return children.trim().split(' ').filter(Boolean).map(Number)
}

test('a connection reaches a server in another network namespace, and each way is closed on its own', async t => {
  const fixture = await startHost(t)
  const networkPath = await serveInNamespace(t, fixture)
  const connection = await forwardTo(fixture, 8080, networkPath)
  connection.end('hello')
  assert.equal(await textOf(connection), 'HELLO')
  await assert.rejects(forwardTo(fixture, 8080), err => isKind(err, 'failed-precondition'))
  assert.deepEqual((await readdir(fixture.directory)).sort(), ['pins'])
})

test('a server that ends first still gets what the client sends', async t => {
  const fixture = await startHost(t)
  let received: Promise<string> = Promise.resolve('')
  const port = await listen(t, client => {
    client.end('bye')
    received = textOf(client)
  })
  const connection = await forwardTo(fixture, port)
  assert.equal(await textOf(connection), 'bye')
  connection.end('thanks')
  await waitUntil('the relay ends', async () => (await relays()).length === 0)
  assert.equal(await received, 'thanks')
})

test('::1 is tried when nothing listens on 127.0.0.1', async t => {
  const fixture = await startHost(t)
  const port = await listen(t, client => client.end('six'), '::1')
  assert.equal(await textOf(await forwardTo(fixture, port)), 'six')
})

test('a port on which nothing listens fails at once and leaves no socket', async t => {
  const fixture = await startHost(t)
  const port = await listen(t, () => undefined)
  const startedAt = performance.now()
  await assert.rejects(
    forwardTo(fixture, port === 9 ? 10 : 9),
    err => isKind(err, 'failed-precondition') && /nothing listens on port/.test(err.message),
  )
  assert.ok(performance.now() - startedAt < 1000)
  await assert.rejects(forwardTo(fixture, port, join(fixture.directory, 'absent')), err =>
    isKind(err, 'not-found'),
  )
  assert.deepEqual(await readdir(fixture.directory), [])
  assert.deepEqual(await relays(), [])
})

test('many bytes arrive whole in both directions, whoever is slow', async t => {
  const fixture = await startHost(t)
  const port = await listen(t, client => client.pipe(client))
  const connection = await forwardTo(fixture, port)
  const sent = randomBytes(8 * 1024 * 1024)
  connection.end(sent) // not read before the kernel's buffers and the relay's are full
  await waitUntil('both ways are full', () => Promise.resolve(connection.writableLength > 0))
  const [relay] = await relays()
  const status = await readFile(`/proc/${relay ?? 0}/status`, 'utf8')
  const anonymousKib = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1])
  assert.ok(anonymousKib < 512, `the relay has ${anonymousKib} KiB`)
  const chunks: Buffer[] = []
  for await (const chunk of connection) chunks.push(chunk as Buffer)
  assert.ok(Buffer.concat(chunks).equals(sent))
})

test('a client that goes takes its connection with it, one that resets is passed on', async t => {
  const fixture = await startHost(t)
  const clients: Socket[] = []
  const port = await listen(t, client => {
    client.on('error', () => undefined)
    clients.push(client)
  })
  const first = await forwardTo(fixture, port)
  first.destroy()
  await waitUntil('the relay of the first ends', async () => (await relays()).length === 0)
  const second = await forwardTo(fixture, port)
  await waitUntil('the server has the second', () => Promise.resolve(clients.length === 2))
  clients[1]?.resetAndDestroy()
  await textOf(second)
  await waitUntil('the relay of the second ends', async () => (await relays()).length === 0)
  second.destroy()
})

test('a caller that leaves while the connection is made ends it', async t => {
  const fixture = await startHost(t)
  const port = await listen(t, () => undefined)
  const caller = new AbortController()
  const ctx = { ...fixture.ctx, signal: caller.signal }
  const call = fixture.host.forward(ctx, {
    networkPath: undefined,
    port,
    socketPath: join(fixture.directory, 's'),
  })
  setImmediate(() => {
    caller.abort()
  })
  await assert.rejects(call, err => isKind(err, 'cancelled'))
  await waitUntil('nothing is left', async () => (await relays()).length === 0)
  assert.deepEqual(await readdir(fixture.directory), [])
})

test('connections end when the host is killed', async t => {
  const fixture = await startHost(t)
  const port = await listen(t, client => client.on('error', () => undefined))
  const connection = await forwardTo(fixture, port)
  const [relay] = await relays()
  assert.ok(relay !== undefined)
  const stat = await readFile(`/proc/${relay}/stat`, 'utf8')
  process.kill(Number(stat.replace(/^.*\) /s, '').split(' ')[1]), 'SIGKILL')
  connection.resume()
  await new Promise(resolve => {
    connection.once('end', resolve)
    connection.once('error', resolve) // a reset, if bytes were on their way
  })
  assert.equal(await isAlive(relay), false)
  const again = await forwardTo(fixture, port) // by the host that was started instead
  again.destroy()
})

test('connections have a limit of their own, and end with the host', async t => {
  const fixture = await startHost(t)
  const port = await listen(t, client => client.on('error', () => undefined))
  const connections = await Promise.all(Array.from({ length: 256 }, () => forwardTo(fixture, port)))
  await assert.rejects(
    forwardTo(fixture, port),
    err => isKind(err, 'resource-exhausted') && err.message.includes('256'),
  )
  const result = await fixture.host.run(fixture.ctx, { argv: ['/bin/true'], env: [], timeoutMs: 5000 })
  assert.equal(result.exitCode, 0)
  const pids = await relays()
  assert.equal(pids.length, 256)
  const ended = Promise.all(connections.map(textOf))
  await fixture.host.stop()
  await ended
  for (const pid of pids) assert.equal(await isAlive(pid), false)
  for (const connection of connections) connection.destroy()
})
