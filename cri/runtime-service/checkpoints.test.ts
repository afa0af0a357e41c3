import assert from 'node:assert/strict'
import { test } from 'node:test'
import Long from 'long'
import { runtimeMethods as rpc } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { openTestDoor } from '../testing/door-fixture.ts'

test('CheckpointContainer takes seconds; 0 is for the engine to decide', async t => {
  const { client, engine } = await openTestDoor(t)
  for (const [seconds, timeoutMs] of [
    [0, 0],
    [7, 7000],
  ] as const) {
    const request = { containerId: 'c', location: '/a.tar', timeout: Long.fromNumber(seconds) }
    await client.call(rpc.CheckpointContainer, request)
    assert.deepEqual(engine.checkpoints.asked.at(-1), { id: 'c', location: '/a.tar', timeoutMs })
  }
})

test('CheckpointPod and RestorePod hand over what they are given, and answer by name', async t => {
  const { client, engine } = await openTestDoor(t)
  const options = { 'example.org/a': 'b' }
  await client.call(rpc.CheckpointPod, {
    podSandboxId: 'p',
    outputPath: '/out',
    containerIds: ['c', 'd'],
    options,
  })
  assert.deepEqual(engine.checkpoints.asked, [
    { podId: 'p', directory: '/out', containerIds: ['c', 'd'], options },
  ])
  const answer = await client.call(rpc.RestorePod, {
    checkpointPath: '/in',
    config: { metadata: { name: 'web', uid: 'u', namespace: 'default' } },
    runtimeHandler: 'runc',
    containerConfigs: ['one', 'two'].map(name => ({ metadata: { name }, image: { image: 'web:1' } })),
  })
  assert.match(answer.podSandboxId, /^[0-9a-f]{64}$/)
  assert.deepEqual(
    answer.restoredContainers.map(({ name }) => name),
    ['one', 'two'],
  )
  assert.equal(new Set(answer.restoredContainers.map(({ containerId }) => containerId)).size, 2)
})

test('what is missing is named, and the error of the engine keeps its code', async t => {
  const { client, engine } = await openTestDoor(t)
  const invalid = (field: RegExp) => ({ code: grpcCode.invalidArgument, details: field })
  await assert.rejects(client.call(rpc.CheckpointContainer, { location: '/a' }), invalid(/container_id/))
  await assert.rejects(client.call(rpc.CheckpointContainer, { containerId: 'c' }), invalid(/location/))
  await assert.rejects(
    client.call(rpc.CheckpointContainer, { containerId: 'c', location: '/a', timeout: Long.NEG_ONE }),
    invalid(/timeout/),
  )
  await assert.rejects(client.call(rpc.CheckpointPod, { outputPath: '/a' }), invalid(/pod_sandbox_id/))
  await assert.rejects(client.call(rpc.CheckpointPod, { podSandboxId: 'p' }), invalid(/output_path/))
  await assert.rejects(client.call(rpc.RestorePod, {}), invalid(/checkpoint_path/))
  await assert.rejects(client.call(rpc.RestorePod, { checkpointPath: '/a' }), invalid(/config/))
  assert.deepEqual(engine.checkpoints.asked, [])
  const full = { containerId: 'c', location: '/full' }
  await assert.rejects(client.call(rpc.CheckpointContainer, full), { code: grpcCode.resourceExhausted })
})
