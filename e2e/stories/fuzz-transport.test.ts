import assert from 'node:assert/strict'
import { createConnection, type Socket } from 'node:net'
import test from 'node:test'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import fc from 'fast-check'
import { createCriClient } from '../../cri/grpc/client.ts'
import { imageMethods, runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import { fuzzParameters } from '../../cri/grpc/testing/fuzz-parameters.ts'
import { healthOf } from '../fuzz/daemon-health.ts'
import { grpcMessage, openHttp2Client } from '../fuzz/http2-client.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld({ logLevel: 'info' })
const mebibyte = 1024 * 1024
const allMethods = [...Object.values(rpc), ...Object.values(imageMethods)]
const none = Buffer.alloc(0)

test(
  'frames that are too large, too short, or not gRPC at all are answered, and cost nothing',
  story(async s => {
    const health = await healthOf(s, { growthBytes: 300 * mebibyte })
    const client = openHttp2Client(s.scratch.socketPath)
    const tooLarge = String(grpcCode.resourceExhausted)
    for (const method of allMethods) {
      assert.equal(await client.claim(method, 64 * mebibyte + 1), tooLarge, method.name)
    }
    const more = Array.from({ length: 65 }, () => Buffer.alloc(mebibyte))
    assert.notEqual(await client.post(rpc.Version, [grpcMessage(none, 65 * mebibyte), ...more]), '0')
    for (const { body, headers } of [
      { body: [grpcMessage(none, 10)] },
      { body: [Buffer.from([0, 0])] },
      { body: [] },
      { body: [Buffer.from([9, 0, 0, 0, 0])] },
      { body: [Buffer.concat([grpcMessage(none), grpcMessage(none)])] },
      { body: [Buffer.from([1, 0, 0, 0, 4, 1, 2, 3, 4])], headers: { 'grpc-encoding': 'gzip' } },
      { body: [grpcMessage(none)], headers: { 'grpc-encoding': 'nosuch' } },
      { body: [grpcMessage(none)], headers: { 'content-type': 'text/html' } },
      { body: [grpcMessage(none)], headers: { 'grpc-timeout': 'soon' } },
      { body: [grpcMessage(none)], headers: { 'grpc-timeout': '0n' } },
    ]) {
      assert.ok(await client.post(rpc.Version, body, headers))
    }
    client.close()
    const other = openHttp2Client(s.scratch.socketPath)
    const unknown = { path: '/runtime.v1.RuntimeService/NoSuch' }
    assert.equal(await other.claim(unknown, 0), String(grpcCode.unimplemented))
    other.close()
    await health.assertUnharmed()
  }),
)

test(
  'a compressed message that becomes too large is refused while it is unpacked',
  story(async s => {
    const bomb = await promisify(gzip)(Buffer.alloc(256 * mebibyte))
    const health = await healthOf(s, { growthBytes: 300 * mebibyte })
    const client = openHttp2Client(s.scratch.socketPath)
    const message = grpcMessage(bomb)
    message.writeUInt8(1)
    const answer = await client.post(rpc.Version, [message], { 'grpc-encoding': 'gzip' })
    assert.notEqual(answer, String(grpcCode.ok))
    client.close()
    await health.assertUnharmed()
  }),
)

test(
  'lists of 100,000 and maps of 100,000 are taken or refused within the time of a call',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod)
    const health = await healthOf(s)
    const many = Array.from({ length: 100_000 }, (_, index) => `x${index}`)
    const labels = Object.fromEntries(many.map(text => [text, text]))
    const outcomes = await Promise.allSettled([
      s.create(pod, { name: 'args', args: many }),
      s.create(pod, { name: 'labels', labels }),
      s.create(pod, { name: 'mounts', mounts: many.map(text => ({ containerPath: text, hostPath: text })) }),
      s.runPod({ name: 'annotations', annotations: labels }),
      s.runPod({ name: 'ports', portMappings: many.map(() => ({ containerPort: 80, hostPort: 1 })) }),
      s.cri.exec(id, many),
      s.cri.client.call(rpc.PortForward, { podSandboxId: pod.id, port: many.map((_, port) => port) }),
      s.cri.client.call(rpc.ListContainers, { filter: { labelSelector: labels } }),
    ])
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue
      const { code, details } = outcome.reason as { readonly code: number; readonly details: string }
      assert.ok(code !== grpcCode.internal && code !== grpcCode.unknown, details)
      assert.notEqual(code, grpcCode.deadlineExceeded, details)
    }
    for (const other of await s.cri.listPods()) {
      if (other === pod.id) continue
      await s.cri.stopPod(other)
      await s.cri.removePod(other)
    }
    await health.assertUnharmed()
  }),
)

test(
  'connections of random bytes, half-open ones, and calls that are never finished bother nobody else',
  story(async s => {
    const { seed, numRuns } = fuzzParameters(60)
    const health = await healthOf(s, { hint: `FUZZ_SEED=${seed}` })
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const frame = fc
      .tuple(fc.nat(12), fc.nat(255), fc.nat(5), fc.uint8Array({ maxLength: 60 }))
      .map(([type, flags, stream, payload]) =>
        Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload]),
      )
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
    const connection = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
      fc.array(frame, { maxLength: 20 }).map(frames => Buffer.concat([preface, settings, ...frames])),
    )
    const slow = Array.from({ length: 20 }, () => createConnection(s.scratch.socketPath))
    for (const socket of slow) socket.write(preface.subarray(0, 10))
    const unfinished = openHttp2Client(s.scratch.socketPath)
    for (const method of allMethods) unfinished.begin(method, grpcMessage(none, 1000))
    await Promise.all(
      fc.sample(connection, { seed, numRuns }).map(bytes => sendAndWait(s.scratch.socketPath, bytes)),
    )
    await s.cri.client.call(rpc.Version, {}, { timeoutMs: 1_000 })
    for (const socket of slow) socket.destroy()
    unfinished.close()
    await health.assertUnharmed()
  }),
)

const hangUpMs = 300

/** Until the other side hangs up, or a moment when it does not. */
function sendAndWait(path: string, bytes: Buffer): Promise<void> {
  const socket: Socket = createConnection(path)
  socket.on('error', () => undefined)
  return new Promise(resolve => {
    socket.on('close', () => {
      resolve()
    })
    socket.setTimeout(hangUpMs, () => socket.destroy())
    socket.write(bytes)
    socket.resume()
  })
}

test(
  'a thousand calls at once on one connection are all answered',
  story(async s => {
    const pod = await s.runPod()
    const health = await healthOf(s)
    const client = createCriClient(s.scratch.socketPath)
    const calls = Array.from({ length: 1000 }, (_, index) =>
      index % 2 === 0
        ? client.call(rpc.PodSandboxStatus, { podSandboxId: pod.id, verbose: true })
        : client.call(rpc.ListPodSandbox, {}),
    )
    assert.equal((await Promise.all(calls)).length, 1000)
    client.close()
    await health.assertUnharmed()
  }),
)

test(
  'calls that are reset at once leave nothing running',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod)
    const health = await healthOf(s)
    const client = openHttp2Client(s.scratch.socketPath)
    const subject = (method: (typeof allMethods)[number]) =>
      /Container|Exec|Attach/.test(method.name)
        ? rpc.StartContainer.request.encode({ containerId: id })
        : podId()
    const podId = () => rpc.StopPodSandbox.request.encode({ podSandboxId: pod.id })
    const harmless = allMethods.filter(({ name }) => !/^(Stop|Remove)/.test(name))
    for (let round = 0; round < 20; round++) {
      for (const method of harmless) client.reset(method, grpcMessage(subject(method).finish()))
    }
    assert.equal(await client.post(rpc.Version, [grpcMessage(none)]), String(grpcCode.ok))
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
    client.close()
    // Files of the figures of what exists stay open between looks.
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
    await health.assertUnharmed()
  }),
)

test(
  'a client that never reads its stream holds up nobody, and memory stays bounded',
  story(async s => {
    const health = await healthOf(s, { growthBytes: 150 * mebibyte })
    const deaf = Array.from({ length: 10 }, () => openDeaf(s))
    const pod = await s.runPod()
    const id = await s.create(pod)
    const blob = { note: 'x'.repeat(200_000) }
    for (let round = 0; round < 20; round++) {
      const extra = await s.create(pod, { name: `c${round}`, annotations: blob })
      await s.cri.removeContainer(extra)
    }
    await s.cri.removeContainer(id)
    for (const socket of deaf) socket.destroy()
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
    await health.assertUnharmed()
  }),
)

/** Asks for events, and never reads from its socket. */
function openDeaf(s: Story): Socket {
  const socket = createConnection(s.scratch.socketPath)
  socket.on('error', () => undefined)
  socket.pause()
  const field = (name: string, value: string): Buffer =>
    Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ])
  const headers = Buffer.concat([
    field(':method', 'POST'),
    field(':scheme', 'http'),
    field(':path', rpc.GetContainerEvents.path),
    field(':authority', 'localhost'),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
  ])
  const frame = (head: readonly [type: number, flags: number, stream: number], payload: Buffer): Buffer => {
    const [type, flags, stream] = head
    return Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload])
  }
  socket.write(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame([4, 0, 0], none),
      frame([1, 4, 1], headers),
      frame([0, 1, 1], grpcMessage(none)),
    ]),
  )
  return socket
}
