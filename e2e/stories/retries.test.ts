import assert from 'node:assert/strict'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import { mode, type PodConfig, podConfig, podState } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { type Gate, installGate } from '../harness/gate-plugin.ts'
import { type Story, useWorld } from '../harness/world.ts'

let gate: Gate | undefined
const story = useWorld({
  async prepare(scratch) {
    gate = await installGate(scratch)
    return ['--cni-bin-dir', gate.binDir]
  },
})

function theGate(): Gate {
  if (!gate) throw new Error('no gate')
  return gate
}

/** A kubelet whose patience ends; its call is gone, the work is not. */
async function giveUp(s: Story, config: PodConfig): Promise<void> {
  await assert.rejects(s.cri.client.call(rpc.RunPodSandbox, { config }, { timeoutMs: 500 }), {
    code: grpcCode.deadlineExceeded,
  })
}

/** Begins to make a pod whose network plugin waits, and gives up. Answers the calls of the plugin before that. */
async function beginAndGiveUp(s: Story, config: PodConfig): Promise<number> {
  await theGate().set('ADD:wait')
  const before = (await theGate().calls()).length
  await giveUp(s, config)
  await eventually('the plugin is at work', async () => (await theGate().calls()).length > before)
  return before
}

async function callsSince(before: number): Promise<readonly string[]> {
  return (await theGate().calls()).slice(before)
}

/** The verbose part of Status that tells what has been going on. */
async function activity(s: Story): Promise<Record<string, unknown>> {
  const { info } = await s.cri.client.call(rpc.Status, { verbose: true })
  return JSON.parse(info['activity'] ?? '{}') as Record<string, unknown>
}

test(
  'an identical retry joins the call whose deadline passed, and the network is attached once',
  story(async s => {
    const config = podConfig(s.scratch)
    const before = await beginAndGiveUp(s, config)
    const { retriesJoined: joinedBefore } = await activity(s)
    await giveUp(s, config)
    const retry = s.cri.runPod(config)
    await eventually('the retry has joined', async () => {
      const { retriesJoined } = await activity(s)
      return retriesJoined === Number(joinedBefore) + 2
    })
    await theGate().set('ok')
    const id = await retry
    assert.deepEqual(await s.cri.listPods(), [id])
    assert.equal((await s.cri.podStatus(id)).state, podState.SANDBOX_READY)
    assert.deepEqual(await callsSince(before), ['ADD'])
    await assert.rejects(s.cri.runPod(config), { code: grpcCode.alreadyExists })
  }),
)

test(
  'an identical retry gets the pod that was finished when nobody waited for it',
  story(async s => {
    const config = podConfig(s.scratch)
    const before = await beginAndGiveUp(s, config)
    await theGate().set('ok')
    const [id] = await eventually('the pod is there', async () => {
      const ids = await s.cri.listPods()
      return ids.length === 1 ? ids : undefined
    })
    const { retriesAdopted } = await activity(s)
    assert.equal(await s.cri.runPod(config), id)
    assert.equal((await activity(s)).retriesAdopted, Number(retriesAdopted) + 1)
    assert.deepEqual(await callsSince(before), ['ADD'])
    await assert.rejects(s.cri.runPod(config), { code: grpcCode.alreadyExists })
  }),
)

test(
  'a pod that failed when nobody waited for it is undone, and the same attempt succeeds',
  story(async s => {
    const config = podConfig(s.scratch)
    const before = await beginAndGiveUp(s, config)
    await theGate().set('ADD:fail')
    await eventually('the network is released', async () => (await callsSince(before)).includes('DEL'))
    await theGate().set('ok')
    const id = await s.cri.runPod(config)
    assert.deepEqual(await s.cri.listPods(), [id])
    assert.deepEqual(await callsSince(before), ['ADD', 'DEL', 'ADD'])
  }),
)

test(
  'a retry that comes while the failure is undone does not fail with it',
  story(async s => {
    const config = podConfig(s.scratch)
    const before = await beginAndGiveUp(s, config)
    await theGate().set('ADD:fail', 'DEL:wait')
    await eventually('the undo is at work', async () => (await callsSince(before)).includes('DEL'))
    await giveUp(s, config)
    const retry = s.cri.runPod(config)
    await theGate().set('ok')
    const id = await retry
    assert.deepEqual(await s.cri.listPods(), [id])
    assert.equal((await callsSince(before)).filter(call => call === 'ADD').length, 2)
  }),
)

test(
  'the next attempt does not wait for the one before, and both are told apart',
  story(async s => {
    const config = podConfig(s.scratch)
    await beginAndGiveUp(s, config)
    const next = { ...config, metadata: { ...config.metadata, attempt: 1 } }
    const host = {
      ...config.linux?.securityContext,
      namespaceOptions: { network: mode.NODE, pid: mode.CONTAINER },
    }
    const id = await s.cri.runPod({ ...next, linux: { ...config.linux, securityContext: host } })
    assert.deepEqual(await s.cri.listPods(), [id])
    await theGate().set('ok')
    await eventually('the first attempt is there, too', async () => (await s.cri.listPods()).length === 2)
  }),
)

test(
  'while a network plugin hangs every list answers at once, and says where the pod is',
  story(async s => {
    const other = await s.runPod({ namespaces: { network: mode.NODE, pid: mode.CONTAINER } })
    const container = await s.run(other)
    const config = podConfig(s.scratch)
    await beginAndGiveUp(s, config)
    const begin = performance.now()
    const { client } = s.cri
    await Promise.all([
      client.call(rpc.ListPodSandbox, {}),
      client.call(rpc.ListContainers, {}),
      client.call(rpc.PodSandboxStatus, { podSandboxId: other.id }),
      client.call(rpc.ContainerStatus, { containerId: container }),
      client.call(rpc.Status, {}),
      client.call(rpc.ListContainerStats, {}),
      client.call(rpc.ListPodSandboxStats, {}),
    ])
    assert.ok(performance.now() - begin < 1_000, 'something waited')
    assert.deepEqual(await s.cri.listPods(), [other.id])
    const { stages } = (await activity(s)) as { stages: readonly { readonly stage: string }[] }
    assert.deepEqual(
      stages.map(({ stage }) => stage),
      ['network'],
    )
    await assert.rejects(s.cri.runPod({ ...config, labels: { another: 'config' } }), {
      code: grpcCode.alreadyExists,
      details: /still being made \(network\), with another config/,
    })
    await theGate().set('ok')
    assert.match(await s.cri.runPod(config), /^[0-9a-f]{64}$/)
    assert.match(
      await s.daemon.log(),
      /is still being made \(network\): the deadline of RunPodSandbox has passed/,
    )
  }),
)
