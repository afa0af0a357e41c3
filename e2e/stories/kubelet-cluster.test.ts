import assert from 'node:assert/strict'
import test from 'node:test'
import { whyNoKube } from '../kubelet/binaries.ts'
import { openCluster, readySince, type Stories, tellStory } from '../kubelet/cluster.ts'
import { images } from '../kubelet/stories/images.ts'
import { nodeLife } from '../kubelet/stories/node.ts'
import { resources } from '../kubelet/stories/resources.ts'
import { sessions } from '../kubelet/stories/sessions.ts'
import { volumes } from '../kubelet/stories/volumes.ts'
import { workloads } from '../kubelet/stories/workloads.ts'

const skip = await whyNoKube()

/** Those that leave the others alone run side by side. */
const sideBySide: Stories = [...workloads, ...volumes, ...resources, ...images, ...sessions]
const concurrency = 4
const readyWithinMs = 30_000

/** Another name for the default runtime, for RuntimeClasses. */
const config = `
runtimes:
  handlers:
    other:
      path: runc
`

test('a cluster with lighterd on its node', { skip, concurrency }, async t => {
  const cluster = await openCluster({ world: { config } })
  try {
    const since = await readySince(cluster.api)
    t.diagnostic(`node ready after ${String(cluster.readyMs)} ms`)
    assert.ok(cluster.readyMs < readyWithinMs, `the node was ready after ${String(cluster.readyMs)} ms`)
    await Promise.all(sideBySide.map(([name, body]) => t.test(name, () => tellStory(cluster, body))))
    await t.test('the node was ready all the time', async () => {
      assert.deepEqual(await readySince(cluster.api), since)
    })
    for (const [name, body] of nodeLife) await t.test(name, () => tellStory(cluster, body))
  } finally {
    await cluster.close()
  }
})
