import assert from 'node:assert/strict'
import test from 'node:test'
import { int64 } from '../../harness/configs.ts'
import { exited } from '../../harness/states.ts'
import type { Stories } from './look.ts'

const mebibyte = 1024 * 1024

/** `times` containers one after the other run out of memory, and as many are killed by somebody else. */
export function oomStories(story: Stories, times: number): void {
  test(
    `a container that runs out of memory is OOMKilled, ${String(times)} of ${String(times)} times`,
    story(async s => {
      const pod = await s.runPod()
      const reasons: string[] = []
      for (let time = 1; time <= times; time += 1) {
        const id = await s.run(pod, {
          name: `oom-${String(time)}`,
          command: ['/bin/tail', '/dev/zero'],
          resources: {
            memoryLimitInBytes: int64(16 * mebibyte),
            memorySwapLimitInBytes: int64(16 * mebibyte),
          },
        })
        const { reason = '', exitCode = 0 } = await exited(s.cri, id)
        reasons.push(`${reason} ${String(exitCode)}`)
      }
      assert.deepEqual(
        reasons,
        reasons.map(() => 'OOMKilled 137'),
      )
    }),
  )

  test(
    'a container that is killed by somebody is not OOMKilled, nor one that ends well after a child was',
    story(async s => {
      const pod = await s.runPod()
      const id = await s.run(pod, { command: ['/bin/sleep', '1000'] })
      await s.cri.stopContainer(id, 0)
      const { reason, exitCode } = await exited(s.cri, id)
      assert.equal(exitCode, 137)
      assert.equal(reason, 'Error')
      const survivor = await s.run(pod, {
        name: 'survivor',
        shell: 'tail /dev/zero; exit 0',
        resources: { memoryLimitInBytes: int64(16 * mebibyte), memorySwapLimitInBytes: int64(16 * mebibyte) },
      })
      const status = await exited(s.cri, survivor)
      assert.equal(status.exitCode, 0)
    }),
  )
}
