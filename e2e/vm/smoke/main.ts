import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { fails } from '../../harness/expect.ts'
import { useWorld } from '../../harness/world.ts'
import { apparmorStories } from './apparmor.ts'
import { crunStories, withCrun } from './crun.ts'
import { limitStories } from './limits.ts'
import { oomStories } from './oom.ts'
import { processStories } from './processes.ts'
import { serviceStories } from './service.ts'
import { sessionStories } from './sessions.ts'
import { createSystemdDaemon, removeUnits } from './systemd-daemon.ts'
import { userNamespaceStories } from './user-namespaces.ts'

// Runs in the machine, as root, on a system of its own: see e2e/vm/main.ts.

const cgroupfsDriver = 1

after(removeUnits)

describe('cgroup v2 with the systemd driver', () => {
  const story = useWorld({
    config: withCrun,
    isInSlice: true,
    createDaemon: createSystemdDaemon,
    logLevel: 'info',
  })
  serviceStories(story)
  limitStories(story, 'systemd')
  processStories(story)
  oomStories(story, 10)
  apparmorStories(story)
  userNamespaceStories(story)
  sessionStories(story)
  crunStories(story)
})

describe('cgroup v2 with the cgroupfs driver', () => {
  const story = useWorld({
    config: 'cgroupDriver: cgroupfs\n',
    createDaemon: createSystemdDaemon,
    logLevel: 'info',
  })
  test(
    'the driver is the one of the configuration, and a slice as parent is refused',
    story(async s => {
      const { linux } = await s.cri.client.call(rpc.RuntimeConfig, {})
      assert.equal(linux?.cgroupDriver, cgroupfsDriver)
      const pod = s.runPod({ cgroupParent: '/kubepods.slice/kubepods-pod1.slice' })
      await fails(pod, 'invalidArgument', /slice/)
    }),
  )
  limitStories(story, 'cgroupfs')
  oomStories(story, 2)
})
