import assert from 'node:assert/strict'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { podState } from '../../harness/configs.ts'
import { fails } from '../../harness/expect.ts'
import { mustRun } from '../../harness/program.ts'
import { initPid, isAlive, type Stories } from './look.ts'
import { property, runningDaemon, unitOf } from './systemd-daemon.ts'

const systemdDriver = 0

/** The daemon as a service, and what becomes of containers when it goes and comes. */
export function serviceStories(story: Stories): void {
  test(
    'the node is ready, its driver is systemd, found by itself, and a parent that is no slice is refused',
    story(async s => {
      const { linux } = await s.cri.client.call(rpc.RuntimeConfig, {})
      assert.equal(linux?.cgroupDriver ?? systemdDriver, systemdDriver)
      const { status } = await s.cri.client.call(rpc.Status, {})
      assert.deepEqual(
        status?.conditions?.filter(condition => condition.status !== true),
        [],
      )
      await fails(s.runPod({ cgroupParent: '/kubepods/pod1' }), 'invalidArgument', /slice/)
    }),
  )

  test(
    'containers survive kill -9, restart and stop of the service, and end when they are told to',
    story(async s => {
      const unit = unitOf(s.scratch)
      const pod = await s.runPod()
      const id = await s.run(pod)
      const pid = await initPid(s, id)
      const first = await runningDaemon(s.scratch, 0)
      process.kill(first, 'SIGKILL')
      const second = await runningDaemon(s.scratch, first)
      assert.equal(await initPid(s, id), pid)
      assert.equal(await s.exec(id, 'echo', 'after kill'), 'after kill')
      await mustRun(['systemctl', 'restart', unit])
      await runningDaemon(s.scratch, second)
      assert.equal(await initPid(s, id), pid)
      await s.daemon.stop()
      assert.equal(await property(unit, 'ActiveState'), 'inactive')
      assert.ok(isAlive(pid), 'the container lives without the daemon')
      await s.daemon.start()
      assert.equal(await s.exec(id, 'echo', 'after stop'), 'after stop')
      assert.equal((await s.cri.podStatus(pod.id)).state, podState.SANDBOX_READY)
      await s.cri.stopPod(pod.id)
      assert.ok(!isAlive(pid), 'the container is gone')
    }),
  )
}
