import assert from 'node:assert/strict'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { int64, podConfig } from '../../harness/configs.ts'
import { exited } from '../../harness/states.ts'
import { cgroupOf, cgroupText, type Stories } from './look.ts'

const mebibyte = 1024 * 1024

/** Configuration of a world with a second runtime handler. */
export const withCrun = `runtimes:
  default: runc
  handlers:
    runc:
      path: runc
    crun:
      path: crun
`

/** Another OCI runtime drives systemd by itself: the same must come out. */
export function crunStories(story: Stories): void {
  test(
    'crun as a handler: limits, an update, exec, the default profile, and an OOM kill',
    story(async s => {
      const config = podConfig(s.scratch)
      const pod = { id: await s.cri.runPod(config, 'crun'), config }
      const resources = {
        memoryLimitInBytes: int64(32 * mebibyte),
        memorySwapLimitInBytes: int64(32 * mebibyte),
        cpuPeriod: int64(100_000),
        cpuQuota: int64(50_000),
      }
      const id = await s.run(pod, { resources })
      const directory = await cgroupOf(s, id)
      assert.match(directory, new RegExp(`/lighter-${id}\\.scope`))
      // crun makes a cgroup below the scope for the container itself, unless an annotation says otherwise.
      const scope = directory.replace(/\.scope\/.*$/, '.scope')
      assert.equal(await cgroupText(scope, 'memory.max'), String(32 * mebibyte))
      assert.equal(await cgroupText(scope, 'cpu.max'), '50000 100000')
      await s.cri.client.call(rpc.UpdateContainerResources, {
        containerId: id,
        linux: { memoryLimitInBytes: int64(48 * mebibyte), memorySwapLimitInBytes: int64(48 * mebibyte) },
      })
      assert.equal(await cgroupText(scope, 'memory.max'), String(48 * mebibyte))
      assert.match(await s.exec(id, 'cat', '/proc/1/attr/current'), /^lighter-default \(enforce\)/)
      await s.cri.stopContainer(id, 20)
      assert.equal((await exited(s.cri, id)).exitCode, 0)
      const eater = await s.run(pod, { name: 'eater', command: ['/bin/tail', '/dev/zero'], resources })
      const { reason, exitCode } = await exited(s.cri, eater)
      assert.deepEqual([reason, exitCode], ['OOMKilled', 137])
    }),
  )
}
