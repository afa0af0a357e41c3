import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods } from '../../cri/grpc/methods.ts'
import { mode, podConfig, podState } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { type Gate, installGate } from '../harness/gate-plugin.ts'
import { writeConfList } from '../harness/scratch.ts'
import { type Story, useWorld } from '../harness/world.ts'

let gate: Gate | undefined
const story = useWorld({
  config: 'limits:\n  cniPluginTimeoutMs: 2000\n',
  async prepare(scratch) {
    gate = await installGate(scratch)
    return ['--cni-bin-dir', gate.binDir]
  },
})

function theGate(): Gate {
  if (!gate) throw new Error('no gate')
  return gate
}

for (const { how, text } of [
  { how: 'fail', text: /gate.*the gate is closed/s },
  { how: 'garbage', text: /gate/ },
  { how: 'flood', text: /gate/ },
  { how: 'hang', text: /gate/ },
] as const) {
  test(
    `a plugin that answers ADD with "${how}" fails the pod, names the plugin, and the next pod works`,
    story(async s => {
      await theGate().set(`ADD:${how}`)
      const config = podConfig(s.scratch)
      const begin = performance.now()
      await assert.rejects(s.cri.runPod(config), text)
      assert.ok(performance.now() - begin < 15_000, 'it took too long')
      await theGate().set('ok')
      assert.deepEqual(await s.cri.listPods(), [])
      const id = await s.cri.runPod(config)
      assert.equal((await s.cri.podStatus(id)).state, podState.SANDBOX_READY)
    }),
  )
}

for (const how of ['fail', 'hang'] as const) {
  test(
    `a plugin that answers DEL with "${how}" does not stop the pod from stopping, and DEL is done later`,
    story(async s => {
      const pod = await s.runPod()
      const id = await s.run(pod)
      await theGate().set(`DEL:${how}`)
      await s.cri.stopPod(pod.id).catch(() => undefined)
      assert.equal((await s.cri.podStatus(pod.id)).state, podState.SANDBOX_NOTREADY)
      assert.equal((await s.cri.containerStatus(id)).state, 2)
      await theGate().set('ok')
      await s.cri.stopPod(pod.id)
      await s.cri.removePod(pod.id)
    }),
  )
}

async function networkCondition({ cri }: Story) {
  const { status } = await cri.client.call(runtimeMethods.Status, {}, { timeoutMs: 5_000 })
  const condition = status?.conditions?.find(one => one.type === 'NetworkReady')
  assert.ok(condition)
  return condition
}

test(
  'without a conf list the network is not ready and says why; when one appears it is ready without restart',
  story(async s => {
    const file = join(s.scratch.cniConfDir, '10-e2e.conflist')
    await rename(file, `${file}.away`)
    const missing = await eventually('NetworkReady is false', async () => {
      const condition = await networkCondition(s)
      return condition.status ? undefined : condition
    })
    assert.equal(missing.reason, 'NetworkPluginNotReady')
    assert.ok(missing.message?.includes(s.scratch.cniConfDir), missing.message ?? '')
    await assert.rejects(s.runPod(), new RegExp(s.scratch.cniConfDir))
    const onHost = await s.runPod({ namespaces: { network: mode.NODE, pid: mode.CONTAINER } })
    await s.cri.removePod(onHost.id)
    await rename(`${file}.away`, file)
    await eventually('NetworkReady is true', async () => (await networkCondition(s)).status === true)
    await s.runPod()
  }),
)

test(
  'a broken conf list is named in the condition',
  story(async s => {
    const file = join(s.scratch.cniConfDir, '10-e2e.conflist')
    await writeFile(file, '{"name": "broken"')
    const condition = await eventually('NetworkReady is false', async () => {
      const found = await networkCondition(s)
      return found.status ? undefined : found
    })
    assert.match(condition.message ?? '', /10-e2e\.conflist/)
    await writeConfList(s.scratch, [{ type: 'gate' }])
    await eventually('NetworkReady is true', async () => (await networkCondition(s)).status === true)
  }),
)

test(
  'a pod stopped after its conf list changed is detached with the one it was attached with',
  story(async s => {
    const pod = await s.runPod()
    const file = join(s.scratch.cniConfDir, '10-e2e.conflist')
    await rename(file, `${file}.away`)
    await eventually('NetworkReady is false', async () => (await networkCondition(s)).status !== true)
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
    await rename(`${file}.away`, file)
    await eventually('NetworkReady is true', async () => (await networkCondition(s)).status === true)
  }),
)
