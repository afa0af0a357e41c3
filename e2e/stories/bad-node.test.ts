import assert from 'node:assert/strict'
import { mkdir, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods } from '../../cri/grpc/methods.ts'
import { podConfig, podState } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { fails } from '../harness/expect.ts'
import { mustRun } from '../harness/program.ts'
import { useWorld } from '../harness/world.ts'

const rootBytes = 96 * 1024 * 1024

// The root of the daemon is a small file system of its own, so that it can be full.
const story = useWorld({
  config: `runtimes:
  handlers:
    runc:
      path: runc
    missing:
      path: /nonexistent/bin/runc
`,
  async prepare(scratch) {
    await mkdir(scratch.rootDir, { recursive: true })
    await mustRun(['mount', '-t', 'tmpfs', '-o', `size=${String(rootBytes)}`, 'lt-root', scratch.rootDir])
    return []
  },
})

test(
  'a runtime handler whose program is missing gives an error that names it; the others work',
  story(async s => {
    const config = podConfig(s.scratch)
    await assert.rejects(async () => {
      const id = await s.cri.runPod(config, 'missing')
      const container = await s.cri.createContainer(id, s.container(), config)
      await s.cri.startContainer(container)
    }, /\/nonexistent\/bin\/runc/)
    assert.equal(await s.exec(await s.run(await s.runPod()), 'echo', 'fine'), 'fine')
  }),
)

test(
  'on a full disk new things fail and say why, old ones still end and go, and all works when there is room again',
  story(async s => {
    const [pod, other] = [await s.runPod(), await s.runPod()]
    const [id, inOther] = [await s.run(pod), await s.run(other)]
    const filler = join(s.scratch.rootDir, 'filler')
    try {
      await fill(s.scratch.rootDir, filler)
      await fails(s.runPod({ name: 'no-room' }), 'resourceExhausted', /ENOSPC|no space|disk/i)
      await fails(s.cri.pull(s.registry.webServer), 'resourceExhausted', /ENOSPC|no space|disk/i)
      assert.deepEqual(new Set(await s.cri.listPods()), new Set([pod.id, other.id]))
      await s.cri.stopContainer(id, 0)
      assert.equal((await s.cri.containerStatus(id)).exitCode, 137)
      await s.cri.stopPod(other.id)
      assert.equal((await s.cri.podStatus(other.id)).state, podState.SANDBOX_NOTREADY)
      assert.equal((await s.cri.containerStatus(inOther)).exitCode, 137)
      await s.cri.removePod(other.id)
    } finally {
      await rm(filler)
    }
    await s.cri.removeContainer(id)
    await s.cri.pull(s.registry.webServer)
    assert.equal(await s.exec(await s.run(await s.runPod()), 'echo', 'fine'), 'fine')
  }),
)

/** Writes until nothing more fits. */
async function fill(dir: string, file: string): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  await writeFile(file, '')
  await mustRun(['fallocate', '-l', String(bavail * bsize), file])
}

test(
  'a missing CNI directory is no reason not to start',
  story(async s => {
    await s.daemon.stop()
    const moved = `${s.scratch.cniConfDir}.away`
    await rename(s.scratch.cniConfDir, moved)
    await s.daemon.start()
    await rename(moved, s.scratch.cniConfDir)
    await eventually('the conf list is seen', async () => {
      const { status } = await s.cri.client.call(runtimeMethods.Status, {}, { timeoutMs: 5_000 })
      return status?.conditions?.find(({ type }) => type === 'NetworkReady')?.status === true
    })
    await s.runPod()
  }),
)
