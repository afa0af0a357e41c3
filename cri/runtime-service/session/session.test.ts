import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sent } from '../../grpc/methods.ts'
import { runtimeMethods as rpc } from '../../grpc/methods.ts'
import { grpcCode } from '../../grpc/status.ts'
import { createSpdyPeer } from '../../streaming/testing/spdy-peer.ts'
import { request } from '../../streaming/testing/streaming-fixture.ts'
import { type DoorFixture, openTestDoor } from '../../testing/door-fixture.ts'

type ExecMessage = Sent<typeof rpc.Exec.request>
type AttachMessage = Sent<typeof rpc.Attach.request>
type PortForwardMessage = Sent<typeof rpc.PortForward.request>

/** A pod with a container that runs. */
async function runContainer({ client }: DoorFixture): Promise<{ pod: string; container: string }> {
  const config = { metadata: { name: 'pod', uid: 'pod', namespace: 'default' } }
  const { podSandboxId } = await client.call(rpc.RunPodSandbox, { config })
  const container = { metadata: { name: 'web' }, image: { image: 'web:1' } }
  const { containerId } = await client.call(rpc.CreateContainer, { podSandboxId, config: container })
  await client.call(rpc.StartContainer, { containerId })
  return { pod: podSandboxId, container: containerId }
}

test('Exec answers a URL at which the command runs', async t => {
  const door = await openTestDoor(t)
  const { container } = await runContainer(door)
  const prefix = container.slice(0, -3)
  const { url } = await door.client.call(rpc.Exec, {
    containerId: prefix,
    cmd: ['early', 'hello'],
    stdout: true,
  })
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n'
  const { socket } = await request(url, upgrade)
  const peer = createSpdyPeer(socket)
  await peer.open(1, { streamType: 'error' })
  await peer.open(3, { streamType: 'stdout' })
  await peer.closed
  assert.equal(peer.dataOf(3).toString(), 'hello')
})

test('Attach and PortForward answer URLs of their own', async t => {
  const door = await openTestDoor(t)
  const { pod, container } = await runContainer(door)
  const attach = await door.client.call(rpc.Attach, { containerId: container, stdin: true, tty: true })
  assert.match(attach.url, /^http:\/\/127\.0\.0\.1:\d+\/attach\/[\w-]{32}$/)
  const forward = await door.client.call(rpc.PortForward, { podSandboxId: pod, port: [80, 80, 65535] })
  assert.match(forward.url, /^http:\/\/127\.0\.0\.1:\d+\/portforward\/[\w-]{32}$/)
})

const wrongExecs: readonly (readonly [string, ExecMessage, number])[] = [
  ['a terminal with stderr', { cmd: ['x'], tty: true, stdin: true, stderr: true }, grpcCode.invalidArgument],
  ['no streams', { cmd: ['x'] }, grpcCode.invalidArgument],
  ['no command', { stdout: true }, grpcCode.invalidArgument],
  ['a NUL in an argument', { cmd: ['x', 'a\0b'], stdout: true }, grpcCode.invalidArgument],
  ['no container', { cmd: ['x'], stdout: true, containerId: '' }, grpcCode.invalidArgument],
  ['an unknown container', { cmd: ['x'], stdout: true, containerId: 'nobody' }, grpcCode.notFound],
]

for (const [name, message, code] of wrongExecs) {
  test(`Exec with ${name} is refused`, async t => {
    const door = await openTestDoor(t)
    const { container } = await runContainer(door)
    await assert.rejects(door.client.call(rpc.Exec, { containerId: container, ...message }), { code })
  })
}

const wrongAttaches: readonly (readonly [string, AttachMessage, number])[] = [
  ['a terminal with stderr', { tty: true, stdin: true, stderr: true }, grpcCode.invalidArgument],
  ['no streams', {}, grpcCode.invalidArgument],
  ['no container', { stdout: true, containerId: '' }, grpcCode.invalidArgument],
  ['an unknown container', { stdout: true, containerId: 'nobody' }, grpcCode.notFound],
]

for (const [name, message, code] of wrongAttaches) {
  test(`Attach with ${name} is refused`, async t => {
    const door = await openTestDoor(t)
    const { container } = await runContainer(door)
    await assert.rejects(door.client.call(rpc.Attach, { containerId: container, ...message }), { code })
  })
}

const wrongForwards: readonly (readonly [string, PortForwardMessage, number])[] = [
  ['no pod', { podSandboxId: '' }, grpcCode.invalidArgument],
  ['an unknown pod', { podSandboxId: 'nobody' }, grpcCode.notFound],
  ['port 0', { port: [80, 0] }, grpcCode.invalidArgument],
  ['a negative port', { port: [-1] }, grpcCode.invalidArgument],
  ['a port that is too high', { port: [65536] }, grpcCode.invalidArgument],
]

for (const [name, message, code] of wrongForwards) {
  test(`PortForward with ${name} is refused`, async t => {
    const door = await openTestDoor(t)
    const { pod } = await runContainer(door)
    await assert.rejects(door.client.call(rpc.PortForward, { podSandboxId: pod, ...message }), { code })
  })
}

test('what does not run has no URL', async t => {
  const door = await openTestDoor(t)
  const { pod, container } = await runContainer(door)
  await door.client.call(rpc.StopPodSandbox, { podSandboxId: pod })
  const code = grpcCode.failedPrecondition
  await assert.rejects(door.client.call(rpc.Exec, { containerId: container, cmd: ['x'], stdout: true }), {
    code,
  })
  await assert.rejects(door.client.call(rpc.Attach, { containerId: container, stdout: true }), { code })
  await assert.rejects(door.client.call(rpc.PortForward, { podSandboxId: pod }), { code })
})

test('URLs that nobody uses run out', async t => {
  const door = await openTestDoor(t)
  const { pod } = await runContainer(door)
  const ask = () => door.client.call(rpc.PortForward, { podSandboxId: pod })
  for (let count = 0; count < 1000; count++) await ask()
  await assert.rejects(ask(), { code: grpcCode.resourceExhausted })
})
