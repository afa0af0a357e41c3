import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageStream } from '../grpc/client.ts'
import { runtimeMethods as rpc } from '../grpc/methods.ts'
import { type DoorFixture, openTestDoor } from '../testing/door-fixture.ts'

async function collect<Message>(stream: MessageStream<Message>): Promise<Message[]> {
  const messages: Message[] = []
  for await (const message of stream) messages.push(message)
  return messages
}

async function makePods({ client }: DoorFixture, names: readonly string[]): Promise<readonly string[]> {
  const ids: string[] = []
  for (const name of names) {
    const sandbox = { metadata: { name, uid: name, namespace: 'default' }, labels: { name } }
    const { podSandboxId } = await client.call(rpc.RunPodSandbox, { config: sandbox })
    const config = { metadata: { name }, image: { image: 'web:1' }, labels: { name } }
    await client.call(rpc.CreateContainer, { podSandboxId, config })
    ids.push(podSandboxId)
  }
  return ids
}

test('streamed statistics are those of the lists, and no message when there is nothing', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  assert.deepEqual(await collect(client.stream(rpc.StreamContainerStats, {})), [])
  assert.deepEqual(await collect(client.stream(rpc.StreamPodSandboxStats, {})), [])
  assert.deepEqual(await collect(client.stream(rpc.StreamPodSandboxMetrics, {})), [])
  await makePods(door, ['web', 'db'])
  const containers = await collect(client.stream(rpc.StreamContainerStats, {}))
  assert.deepEqual(
    containers.flatMap(({ containerStats }) => containerStats),
    (await client.call(rpc.ListContainerStats, {})).stats,
  )
  const pods = await collect(client.stream(rpc.StreamPodSandboxStats, {}))
  assert.deepEqual(
    pods.flatMap(({ podSandboxStats }) => podSandboxStats),
    (await client.call(rpc.ListPodSandboxStats, {})).stats,
  )
  const metrics = await collect(client.stream(rpc.StreamPodSandboxMetrics, {}))
  assert.deepEqual(
    metrics.flatMap(({ podSandboxMetrics }) => podSandboxMetrics),
    (await client.call(rpc.ListPodSandboxMetrics, {})).podMetrics,
  )
  assert.deepEqual(
    [containers, pods, metrics].map(messages => messages.length),
    [1, 1, 1],
  )
})

test('streamed statistics take the filter of the lists', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  const [, db = ''] = await makePods(door, ['web', 'db'])
  const [containers] = await collect(
    client.stream(rpc.StreamContainerStats, { filter: { podSandboxId: db } }),
  )
  assert.deepEqual(
    containers?.containerStats.map(({ attributes }) => attributes?.metadata?.name),
    ['db'],
  )
  const [pods] = await collect(client.stream(rpc.StreamPodSandboxStats, { filter: { id: db } }))
  assert.deepEqual(
    pods?.podSandboxStats.map(({ attributes }) => attributes?.id),
    [db],
  )
})
