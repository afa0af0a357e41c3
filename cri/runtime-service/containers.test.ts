import assert from 'node:assert/strict'
import { test } from 'node:test'
import Long from 'long'
import { v1 } from '#proto'
import { maxTimeoutMs } from '../convert/integers.ts'
import type { Sent } from '../grpc/methods.ts'
import { runtimeMethods as rpc } from '../grpc/methods.ts'
import { grpcCode } from '../grpc/status.ts'
import { type DoorFixture, openTestDoor } from '../testing/door-fixture.ts'
import { sampleContainerId, sampleImage, sampleImageId } from '../testing/samples.ts'

type ContainerConfigMessage = NonNullable<Sent<typeof rpc.CreateContainer.request>['config']>

/** Enums of proto3 are open: anything may come. */
const unknownNumber: unknown = 9

const web: ContainerConfigMessage = { metadata: { name: 'web', attempt: 2 }, image: { image: 'web:1' } }

async function runPod({ client }: DoorFixture, name = 'pod'): Promise<string> {
  const metadata = { name, uid: name, namespace: 'default' }
  return (await client.call(rpc.RunPodSandbox, { config: { metadata } })).podSandboxId
}

async function create(door: DoorFixture, config: ContainerConfigMessage): Promise<string> {
  const [pod] = door.engine.pods.keys()
  const podSandboxId = pod ?? (await runPod(door))
  return (await door.client.call(rpc.CreateContainer, { podSandboxId, config })).containerId
}

async function statusOf({ client }: DoorFixture, containerId: string, verbose = false) {
  const { status, info } = await client.call(rpc.ContainerStatus, { containerId, verbose })
  assert.ok(status)
  return { ...status, info }
}

test('a container can be created, started, looked at, stopped and removed', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  const mounts = [
    { hostPath: '/var/lib/kubelet/x', containerPath: '/dev/termination-log', propagation: 1 },
    {
      hostPath: '/a',
      containerPath: '/b',
      readonly: true,
      recursiveReadOnly: true,
      mountOptions: ['noexec'],
    },
  ]
  const id = await create(door, { ...web, mounts, logPath: 'web/0.log', labels: { app: 'web' } })
  const created = await statusOf(door, id)
  assert.deepEqual(
    [created.state ?? 0, String(created.startedAt ?? 0), String(created.finishedAt ?? 0)],
    [0, '0', '0'],
  )
  assert.deepEqual(
    created.mounts?.map(({ hostPath, containerPath, propagation, readonly }) => ({
      hostPath,
      containerPath,
      propagation: propagation ?? 0,
      readonly: readonly ?? false,
    })),
    [
      { ...mounts[0], readonly: false },
      { hostPath: '/a', containerPath: '/b', propagation: 0, readonly: true },
    ],
  )
  assert.deepEqual(created.mounts[1]?.mountOptions, ['noexec'])
  assert.equal(created.logPath, '/var/log/pods/web/0.log')
  assert.equal(created.metadata?.attempt, 2)
  assert.equal(created.stopSignal, v1.Signal.SIGNAL_SIGTERM)
  assert.deepEqual(
    [
      created.user?.linux?.uid,
      created.user?.linux?.gid,
      ...(created.user?.linux?.supplementalGroups ?? []),
    ].map(String),
    ['1000', '1001', '7', '8'],
  )

  await client.call(rpc.StartContainer, { containerId: id })
  const running = await statusOf(door, id)
  assert.deepEqual([running.state, String(running.startedAt)], [1, '1700000100000000000'])
  assert.equal(running.finishedAt?.toString(), undefined)
  await assert.rejects(client.call(rpc.StartContainer, { containerId: id }), {
    code: grpcCode.failedPrecondition,
  })

  for (const repeat of ['first', 'again']) {
    await client.call(rpc.StopContainer, { containerId: id })
    const { state, exitCode, reason, finishedAt } = await statusOf(door, id)
    assert.deepEqual(
      [state, exitCode, reason, String(finishedAt)],
      [2, 137, 'Error', '1700000100000000001'],
      repeat,
    )
  }
  for (const repeat of ['first', 'again']) {
    await client.call(rpc.RemoveContainer, { containerId: id })
    assert.deepEqual((await client.call(rpc.ListContainers, {})).containers, [], repeat)
  }
})

test('every answer names the same image id', async t => {
  const door = await openTestDoor(t)
  const id = await create(door, web)
  const status = await statusOf(door, id)
  const [item] = (await door.client.call(rpc.ListContainers, {})).containers
  assert.equal(status.imageId, sampleImageId(1))
  assert.equal(item?.imageId, sampleImageId(1))
  assert.equal(status.imageRef, `docker.io/library/web@${sampleImageId(2)}`)
})

test('the status names the image as a user knows it', async t => {
  const door = await openTestDoor(t)
  const image = { image: sampleImageId(1) }
  const nameOf = async (spec: ContainerConfigMessage['image']) =>
    (await statusOf(door, await create(door, { ...web, image: spec ?? null }))).image?.image
  assert.equal(await nameOf({ image: 'web:1' }), 'web:1')
  assert.equal(await nameOf({ ...image, userSpecifiedImage: 'web:stable' }), 'web:stable')
  assert.equal(await nameOf(image), image.image)
  door.engine.images.set(image.image, sampleImage(1, ['docker.io/library/web:1']))
  assert.equal(await nameOf(image), 'docker.io/library/web:1')
})

test('list filters by id prefix, pod, state and labels, and combines them', async t => {
  const door = await openTestDoor(t)
  const { client } = door
  const pods = [await runPod(door, 'one'), await runPod(door, 'two')]
  const ids: string[] = []
  for (const [index, podSandboxId] of [pods[0], pods[0], pods[1]].entries()) {
    const config = { ...web, labels: { number: String(index) } }
    ids.push(
      (await client.call(rpc.CreateContainer, { podSandboxId: podSandboxId ?? '', config })).containerId,
    )
  }
  const [a = '', b = '', c = ''] = ids
  await client.call(rpc.StartContainer, { containerId: b })
  await client.call(rpc.StartContainer, { containerId: c })
  await client.call(rpc.StopContainer, { containerId: c })
  const table: [NonNullable<Sent<typeof rpc.ListContainers.request>['filter']>, string[]][] = [
    [{}, [a, b, c]],
    [{ id: a }, [a]],
    [{ id: 'ffff' }, []],
    [{ podSandboxId: pods[0] ?? '' }, [a, b]],
    [{ state: { state: v1.ContainerState.CONTAINER_CREATED } }, [a]],
    [{ state: { state: v1.ContainerState.CONTAINER_RUNNING } }, [b]],
    [{ state: { state: v1.ContainerState.CONTAINER_EXITED } }, [c]],
    [{ state: { state: v1.ContainerState.CONTAINER_UNKNOWN } }, []],
    [{ labelSelector: { number: '2' } }, [c]],
    [{ podSandboxId: pods[0] ?? '', labelSelector: { number: '2' } }, []],
  ]
  for (const [filter, expected] of table) {
    const { containers } = await client.call(rpc.ListContainers, { filter })
    assert.deepEqual(
      containers.map(({ id }) => id),
      expected,
      JSON.stringify(filter),
    )
  }
  await assert.rejects(
    client.call(rpc.ListContainers, { filter: { state: { state: unknownNumber as v1.ContainerState } } }),
    {
      code: grpcCode.invalidArgument,
    },
  )
})

test('exec answers bytes and the exit code, and takes its time-out in seconds', async t => {
  const door = await openTestDoor(t)
  const id = await create(door, web)
  const exec = { containerId: id, cmd: ['sh', '-c', 'exit 3'] }
  await assert.rejects(door.client.call(rpc.ExecSync, exec), { code: grpcCode.failedPrecondition })
  await door.client.call(rpc.StartContainer, { containerId: id })
  const timeouts = { 0: 0, 7: 7000, 9_999_999_999: maxTimeoutMs }
  for (const [seconds, timeoutMs] of Object.entries(timeouts)) {
    const answer = await door.client.call(rpc.ExecSync, { ...exec, timeout: long(seconds) })
    assert.deepEqual(JSON.parse(answer.stdout.toString()), { command: exec.cmd, timeoutMs })
    assert.deepEqual([...answer.stderr], [0xff, 0x00])
    assert.equal(answer.exitCode, 3)
  }
  await assert.rejects(door.client.call(rpc.ExecSync, { ...exec, timeout: long('-1') }), {
    code: grpcCode.invalidArgument,
    details: /timeout/,
  })
  await assert.rejects(door.client.call(rpc.ExecSync, { containerId: id }), {
    code: grpcCode.invalidArgument,
    details: /cmd/,
  })
  await assert.rejects(door.client.call(rpc.ExecSync, { ...exec, cmd: ['a\0b'] }), {
    code: grpcCode.invalidArgument,
    details: /cmd\[0\]/,
  })
})

test('stats: of one, of all, with exact 64 bits', async t => {
  const door = await openTestDoor(t)
  const id = await create(door, { ...web, labels: { app: 'web' } })
  const { stats } = await door.client.call(rpc.ContainerStats, { containerId: id })
  assert.equal(stats?.cpu?.usageCoreNanoSeconds?.value?.toString(), '9007199254740993')
  assert.deepEqual(stats.attributes?.labels, { app: 'web' })
  assert.equal(stats.attributes.metadata?.name, 'web')
  assert.equal(stats.writableLayer?.fsId?.mountpoint, '/var/lib/lighter/snapshots/1')
  assert.equal(stats.memory?.workingSetBytes?.value?.toString(), '10')
  const all = await door.client.call(rpc.ListContainerStats, { filter: { labelSelector: { app: 'web' } } })
  assert.deepEqual(
    all.stats.map(one => one.attributes?.id),
    [id],
  )
  const none = await door.client.call(rpc.ListContainerStats, { filter: { id: 'ffff' } })
  assert.deepEqual(none.stats, [])
})

test('the log of a container that does not run cannot be reopened', async t => {
  const door = await openTestDoor(t)
  const id = await create(door, web)
  await assert.rejects(door.client.call(rpc.ReopenContainerLog, { containerId: id }), {
    code: grpcCode.failedPrecondition,
  })
  await door.client.call(rpc.StartContainer, { containerId: id })
  await door.client.call(rpc.ReopenContainerLog, { containerId: id })
})

test('ids: empty is INVALID_ARGUMENT; unknown is NOT_FOUND, and fine in stop and remove', async t => {
  const { client } = await openTestDoor(t)
  const containerId = sampleContainerId(99)
  const table = [
    { method: rpc.StartContainer, unknown: grpcCode.notFound },
    { method: rpc.StopContainer, unknown: grpcCode.ok },
    { method: rpc.RemoveContainer, unknown: grpcCode.ok },
    { method: rpc.ContainerStatus, unknown: grpcCode.notFound },
    { method: rpc.ContainerStats, unknown: grpcCode.notFound },
    { method: rpc.ReopenContainerLog, unknown: grpcCode.notFound },
  ] as const
  for (const { method, unknown } of table) {
    await assert.rejects(client.call(method, {}), { code: grpcCode.invalidArgument }, method.name)
    if (unknown === grpcCode.ok) await client.call(method, { containerId })
    else await assert.rejects(client.call(method, { containerId }), { code: unknown }, method.name)
  }
  await assert.rejects(client.call(rpc.ExecSync, { containerId, cmd: ['true'] }), {
    code: grpcCode.notFound,
  })
})

test('a verbose status tells the process and the pod', async t => {
  const door = await openTestDoor(t)
  const id = await create(door, web)
  await door.client.call(rpc.StartContainer, { containerId: id })
  assert.deepEqual((await statusOf(door, id)).info, {})
  const { info } = await statusOf(door, id, true)
  const parsed = JSON.parse(info.info ?? '') as { readonly pid: number; readonly sandboxID: string }
  assert.deepEqual([parsed.pid, parsed.sandboxID], [4242, [...door.engine.pods.keys()][0]])
})

function long(text: string): Long {
  return Long.fromString(text)
}
