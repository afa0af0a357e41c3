import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContainerEvent } from '#engine/model/event'
import { v1 } from '#proto'
import type { MessageStream } from '../grpc/client.ts'
import { imageMethods, type Received, runtimeMethods as rpc } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { type DoorFixture, openTestDoor } from '../testing/door-fixture.ts'

async function makePod({ client }: DoorFixture, name: string): Promise<string> {
  const metadata = { name, uid: name, namespace: 'default' }
  return (await client.call(rpc.RunPodSandbox, { config: { metadata } })).podSandboxId
}

async function makeContainer({ client }: DoorFixture, podSandboxId: string, name: string): Promise<string> {
  const config = { metadata: { name }, image: { image: 'web:1' }, labels: { name } }
  return (await client.call(rpc.CreateContainer, { podSandboxId, config })).containerId
}

async function collect<Message>(stream: MessageStream<Message>): Promise<Message[]> {
  const messages: Message[] = []
  for await (const message of stream) messages.push(message)
  return messages
}

/** What the engine holds of a pod at this moment, as an event tells it. */
function told(
  { engine }: DoorFixture,
  kind: ContainerEvent['kind'],
  ids: { readonly pod: string; readonly id: string },
): Parameters<DoorFixture['engine']['tell']>[0] {
  const pod = engine.pods.get(ids.pod)
  assert.ok(pod)
  const containers = [...engine.containers.values()].filter(({ podId }) => podId === pod.id)
  return { kind, id: ids.id, pod, containers }
}

async function take<Message>(stream: MessageStream<Message>, number: number): Promise<Message[]> {
  const messages: Message[] = []
  for await (const message of stream) {
    messages.push(message)
    if (messages.length === number) break
  }
  return messages
}

test('an event arrives whole: what, whose, when, and the statuses of its pod', async t => {
  const door = await openTestDoor(t)
  const pod = await makePod(door, 'web')
  const id = await makeContainer(door, pod, 'main')
  const stream = door.client.stream(rpc.GetContainerEvents, {})
  await stream.opened
  door.engine.tell(told(door, 'created', { pod, id }))
  await door.client.call(rpc.StartContainer, { containerId: id })
  door.engine.tell(told(door, 'started', { pod, id }))
  await door.client.call(rpc.StopPodSandbox, { podSandboxId: pod })
  door.engine.tell(told(door, 'stopped', { pod, id: pod }))
  door.engine.tell({ ...told(door, 'deleted', { pod, id: pod }), containers: [] })
  const events = await take(stream, 4)
  const line = (event: Received<typeof rpc.GetContainerEvents.response>) => [
    event.containerEventType,
    event.containerId === pod ? 'pod' : 'main',
    event.podSandboxStatus?.metadata?.uid,
    event.podSandboxStatus?.state ?? 0,
    event.containersStatuses.map(status => status.state ?? 0).join(),
  ]
  assert.deepEqual(events.map(line), [
    [v1.ContainerEventType.CONTAINER_CREATED_EVENT, 'main', 'web', 0, '0'],
    [v1.ContainerEventType.CONTAINER_STARTED_EVENT, 'main', 'web', 0, '1'],
    [v1.ContainerEventType.CONTAINER_STOPPED_EVENT, 'pod', 'web', 1, '2'],
    [v1.ContainerEventType.CONTAINER_DELETED_EVENT, 'pod', 'web', 1, ''],
  ])
  const [first, second] = events.map(({ createdAt }) => BigInt(createdAt.toString()))
  assert.ok(first !== undefined && second === first + 1n)
})

test('the statuses of an event are those that the status calls answer', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  const pod = await makePod(door, 'web')
  const containerId = await makeContainer(door, pod, 'main')
  const stream = client.stream(rpc.GetContainerEvents, {})
  await stream.opened
  door.engine.tell(told(door, 'created', { pod, id: containerId }))
  const [event] = await take(stream, 1)
  assert.ok(event)
  const answer = await client.call(rpc.PodSandboxStatus, { podSandboxId: pod })
  const { status } = await client.call(rpc.ContainerStatus, { containerId })
  assert.deepEqual(event.podSandboxStatus, answer.status)
  assert.deepEqual(event.containersStatuses, [status])
  assert.deepEqual(answer.containersStatuses, [status])
  assert.ok(BigInt(answer.timestamp.toString()) > BigInt(event.createdAt.toString()))
})

test('everybody who reads gets every event', async t => {
  const door = await openTestDoor(t)
  const pod = await makePod(door, 'web')
  const streams = Array.from({ length: 10 }, () => door.client.stream(rpc.GetContainerEvents, {}))
  await Promise.all(streams.map(({ opened }) => opened))
  const number = 100
  for (let i = 0; i < number; i++) door.engine.tell(told(door, 'started', { pod, id: pod }))
  for (const events of await Promise.all(streams.map(stream => take(stream, number)))) {
    const times = events.map(({ createdAt }) => createdAt.toString())
    assert.deepEqual(times, [...new Set(times)].sort())
    assert.equal(times.length, number)
  }
})

test('a streamed list is the list, in several messages when it is long, and no message when it is empty', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  assert.deepEqual(await collect(client.stream(rpc.StreamPodSandboxes, {})), [])
  assert.deepEqual(await collect(client.stream(rpc.StreamContainers, {})), [])
  assert.deepEqual(await collect(client.stream(imageMethods.StreamImages, {})), [])
  const pod = await makePod(door, 'web')
  const sample = door.engine.pods.get(pod)
  const container = door.engine.containers.get(await makeContainer(door, pod, 'main'))
  assert.ok(sample && container)
  for (let i = 0; i < 1_200; i++) {
    const tail = i.toString(16).padStart(8, '0')
    const [podId, id] = [`${tail}${sample.id.slice(8)}`, `${tail}${container.id.slice(8)}`]
    door.engine.pods.set(podId, { ...sample, id: podId as typeof sample.id })
    door.engine.containers.set(id, { ...container, id: id as typeof container.id })
  }
  const pods = await collect(client.stream(rpc.StreamPodSandboxes, {}))
  assert.ok(pods.length > 1)
  assert.deepEqual(
    pods.flatMap(message => message.podSandboxes),
    (await client.call(rpc.ListPodSandbox, {})).items,
  )
  const containers = await collect(client.stream(rpc.StreamContainers, {}))
  assert.ok(containers.length > 1)
  assert.deepEqual(
    containers.flatMap(message => message.containers),
    (await client.call(rpc.ListContainers, {})).containers,
  )
})

test('a streamed list takes the filter of the list, and refuses what it refuses', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  const [web, db] = [await makePod(door, 'web'), await makePod(door, 'db')]
  const main = await makeContainer(door, web, 'main')
  await makeContainer(door, db, 'other')
  await client.call(imageMethods.PullImage, { image: { image: 'registry.example/web:1' } })
  await client.call(imageMethods.PullImage, { image: { image: 'registry.example/db:1' } })
  const [one] = await collect(client.stream(rpc.StreamPodSandboxes, { filter: { id: db } }))
  assert.deepEqual(
    one?.podSandboxes.map(({ id }) => id),
    [db],
  )
  const [other] = await collect(
    client.stream(rpc.StreamContainers, { filter: { labelSelector: { name: 'main' } } }),
  )
  assert.deepEqual(
    other?.containers.map(({ id }) => id),
    [main],
  )
  const [image] = await collect(
    client.stream(imageMethods.StreamImages, { filter: { image: { image: 'registry.example/db:1' } } }),
  )
  assert.deepEqual(
    image?.images.map(({ repoTags }) => repoTags),
    [['registry.example/db:1']],
  )
  const unknownNumber: unknown = 9
  const state = { state: unknownNumber as v1.PodSandboxState }
  await assert.rejects(collect(client.stream(rpc.StreamPodSandboxes, { filter: { state } })), {
    code: grpcCode.invalidArgument,
  })
})
