import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { mode } from '../../harness/configs.ts'
import { eventually } from '../../harness/eventually.ts'
import { mustRun } from '../../harness/program.ts'
import { exited } from '../../harness/states.ts'
import { cgroupOf, cgroupOfProcess, cgroupText, type Stories, setCgroup } from './look.ts'

/** Processes of a container: how many, frozen, killed, in whose namespace and cgroup. */
export function processStories(story: Stories): void {
  test(
    'more processes than the limit are refused to the container',
    story(async s => {
      const id = await s.run(await s.runPod(), {
        resources: { unified: { 'pids.max': '8' } },
        shell: 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; wait',
      })
      const directory = await cgroupOf(s, id).catch(() => '')
      await eventually('the limit was met', async () => {
        const status = await s.cri.containerStatus(id)
        const hasEnded = Number(status.finishedAt ?? 0) > 0 && status.exitCode !== 0
        return hasEnded || /max [1-9]/.test(await cgroupText(directory, 'pids.events'))
      })
    }),
  )

  test(
    'a frozen container is stopped, and a stop takes every process of it along',
    story(async s => {
      const id = await s.run(await s.runPod(), {
        shell:
          'trap "" TERM; for i in 1 2 3; do sh -c "trap : TERM; while :; do sleep 100; done" & done; wait',
      })
      const directory = await cgroupOf(s, id)
      const pids = await eventually('its processes are there', async () => {
        const found = (await cgroupText(directory, 'cgroup.procs')).split('\n').filter(pid => pid !== '')
        return found.length >= 4 ? found : undefined
      })
      await setCgroup(directory, 'cgroup.freeze', '1')
      await s.cri.stopContainer(id, 1)
      assert.equal((await exited(s.cri, id)).exitCode, 137)
      await eventually('the cgroup is empty', async () => {
        const left = (await cgroupText(directory, 'cgroup.procs')).split('\n')
        return pids.every(pid => !left.includes(pid))
      })
    }),
  )

  test(
    'pods with own and with shared process namespaces: the pause process has a cgroup beside the container’s',
    story(async s => {
      const pod = await s.runPod({ namespaces: { pid: mode.POD } })
      const shared = { security: { namespaceOptions: { pid: mode.POD } } }
      const one = await s.run(pod, { name: 'one', ...shared })
      const two = await s.run(pod, { name: 'two', shell: 'exec sleep 4321', ...shared })
      assert.match(await s.exec(one, 'cat', '/proc/1/comm'), /^lighter-pause$/)
      assert.match(await s.exec(one, 'ps', '-o', 'args'), /sleep 4321/)
      const { info } = await s.cri.client.call(rpc.PodSandboxStatus, { podSandboxId: pod.id, verbose: true })
      const { pid } = JSON.parse(info['info'] ?? '{}') as { readonly pid: number }
      await mustRun(['systemctl', 'daemon-reload'])
      const pause = await cgroupOfProcess(pid)
      assert.equal(join(pause, '..'), join(await cgroupOf(s, two), '..'))
      assert.notEqual(pause, await cgroupOf(s, two))
    }),
  )
}
