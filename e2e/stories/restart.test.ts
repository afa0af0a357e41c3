import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { containerState, mode, podState } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { listDirectory } from '../harness/files.ts'
import { readLogText } from '../harness/pod-log.ts'
import { childOf } from '../harness/processes.ts'
import { reboot } from '../harness/reboot.ts'
import { exited, finishedAt, startedAt } from '../harness/states.ts'
import { useWorld } from '../harness/world.ts'

const story = useWorld()

const counter = 'trap "exit 0" TERM; i=0; while :; do i=$((i+1)); echo $i; usleep 2000; done'

test(
  'kill -9 of the daemon: containers run on, logs have no gap, exits meanwhile are known, everything still works',
  story(async s => {
    const flags = join(s.scratch.dir, 'flags')
    await mkdir(flags, { recursive: true })
    const pod = await s.runPod({ labels: { kept: 'yes' } })
    const shared = await s.runPod({ namespaces: { pid: mode.POD } })
    const logger = await s.run(pod, { name: 'logger', shell: counter })
    const leaver = await s.run(pod, {
      name: 'leaver',
      shell: 'until [ -e /flags/go ]; do usleep 20000; done; echo leaving; exit 7',
      mounts: [{ containerPath: '/flags', hostPath: flags }],
    })
    const created = await s.create(pod, { name: 'created' })
    const inShared = await s.run(shared, { security: { namespaceOptions: { pid: mode.POD } } })
    const before = await s.cri.containerStatus(logger)
    const [podBefore, pids] = [await s.cri.podStatus(pod.id), await s.exec(inShared, 'ps')]

    await s.daemon.kill()
    const linesAtKill = (await readLogText(s.logPath(pod, 'logger'))).length
    await writeFile(join(flags, 'go'), '')
    await eventually('the container ends without the daemon', async () =>
      (await readLogText(s.logPath(pod, 'leaver'))).includes('leaving'),
    )
    await eventually(
      'the log grows without the daemon',
      async () => (await readLogText(s.logPath(pod, 'logger'))).length > linesAtKill + 50,
    )
    await s.daemon.start()

    const after = await s.cri.containerStatus(logger)
    assert.equal(after.state, containerState.CONTAINER_RUNNING)
    assert.equal(startedAt(after), startedAt(before))
    assert.deepEqual(await s.cri.podStatus(pod.id), podBefore)
    const left = await s.cri.containerStatus(leaver)
    assert.deepEqual([left.state, left.exitCode, left.reason], [containerState.CONTAINER_EXITED, 7, 'Error'])
    assert.ok(finishedAt(left) > startedAt(left))
    assert.equal((await s.cri.containerStatus(created)).state, containerState.CONTAINER_CREATED)

    await s.cri.startContainer(created)
    assert.equal(await s.exec(created, 'echo', 'works'), 'works')
    assert.equal(await s.exec(logger, 'echo', 'works'), 'works')
    assert.deepEqual(comparable(await s.exec(inShared, 'ps')), comparable(pids))
    await s.cri.reopenLog(logger)
    await s.cri.stopContainer(logger, 20)
    assert.deepEqual((await s.cri.containerStatus(logger)).exitCode, 0)
    const counted = await readLogText(s.logPath(pod, 'logger'))
    assert.ok(
      counted.every((text, index) => text === String(index + 1)),
      'a line is lost, doubled or torn',
    )
    for (const id of [logger, leaver, created]) await s.cri.removeContainer(id)
    assert.deepEqual(await s.cri.listContainers(), [inShared])
  }),
)

/** What `ps` shows of the long-lived processes. */
function comparable(ps: string): readonly string[] {
  return ps.split('\n').filter(line => /lighter-pause|trap/.test(line))
}

test(
  'an exit right after the start of the daemon is seen like any other',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: 'trap "exit 9" TERM; while :; do usleep 20000; done' })
    await s.daemon.kill()
    await s.daemon.start()
    await s.cri.stopContainer(id, 20)
    assert.equal((await exited(s.cri, id)).exitCode, 9)
  }),
)

test(
  'SIGTERM ends the daemon with 0 and leaves the containers running',
  story(async s => {
    const id = await s.run(await s.runPod())
    assert.equal(await s.daemon.stop(), 0)
    await s.daemon.start()
    assert.equal((await s.cri.containerStatus(id)).state, containerState.CONTAINER_RUNNING)
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
  }),
)

test(
  'a container whose shim is killed too is exited with reason Unknown, and can be removed',
  story(async s => {
    const id = await s.run(await s.runPod())
    await s.daemon.kill()
    await reboot.killProcesses(s.scratch)
    await s.daemon.start()
    const status = await s.cri.containerStatus(id)
    assert.equal(status.state, containerState.CONTAINER_EXITED)
    assert.equal(status.reason, 'Unknown')
    assert.ok(finishedAt(status) > 0n)
    await s.cri.removeContainer(id)
  }),
)

test(
  'a shim killed under a living daemon: the container is ended, exited with reason Unknown, and can be replaced',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod)
    await reboot.killShims(s.scratch)
    const status = await exited(s.cri, id)
    assert.equal(status.reason, 'Unknown')
    await s.cri.removeContainer(id)
    assert.equal(await s.exec(await s.run(pod), 'echo', 'again'), 'again')
  }),
)

test(
  'lighter-host killed under a living daemon is replaced, and everything goes on',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod)
    for (let round = 0; round < 3; round++) {
      const host = await eventually('there is a lighter-host', () => childOf(s.daemon.pid(), 'lighter-host'))
      process.kill(host, 'SIGKILL')
      await eventually('the next pod runs', async () => {
        const next = await s.runPod()
        await s.cri.removePod(next.id)
        return true
      })
    }
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
  }),
)

test(
  'after a reboot pods are not ready, keep what they said, can be removed, and give back their addresses',
  story(async s => {
    const pod = await s.runPod({ labels: { kept: 'yes' } })
    const id = await s.run(pod)
    await s.daemon.stop()
    await reboot.all(s.scratch)
    await s.daemon.start()
    const status = await s.cri.podStatus(pod.id)
    assert.equal(status.state, podState.SANDBOX_NOTREADY)
    assert.deepEqual(status.labels, { kept: 'yes' })
    const container = await s.cri.containerStatus(id)
    assert.deepEqual([container.state, container.reason], [containerState.CONTAINER_EXITED, 'Unknown'])
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
    const leases = await listDirectory(join(s.scratch.ipamDir, s.scratch.networkName))
    assert.deepEqual(
      leases.filter(name => /^\d/.test(name)),
      [],
    )
    const next = await s.runPod()
    assert.equal(await s.exec(await s.run(next), 'echo', 'up'), 'up')
  }),
)

test(
  'a record that cannot be read is put aside, and the others live on',
  story(async s => {
    const good = await s.runPod()
    const id = await s.run(good)
    await s.daemon.stop()
    const records = join(s.scratch.rootDir, 'pods')
    await writeFile(join(records, `${'b'.repeat(64)}.json`), '{"torn')
    await s.daemon.start()
    assert.deepEqual(await s.cri.listPods(), [good.id])
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
    const quarantine = join(s.scratch.rootDir, 'quarantine')
    const names = await listDirectory(quarantine)
    assert.ok(
      names.some(name => name.includes('b'.repeat(64))),
      names.join(),
    )
    await rm(quarantine, { recursive: true })
  }),
)

/** Calls to interrupt, and about how long each takes: most kills shall hit it on its way. */
const calls = [
  { call: 'RunPodSandbox', takesMs: 90 },
  { call: 'CreateContainer', takesMs: 30 },
  { call: 'StartContainer', takesMs: 90 },
  { call: 'StopContainer', takesMs: 30 },
  { call: 'RemoveContainer', takesMs: 40 },
  { call: 'StopPodSandbox', takesMs: 130 },
  { call: 'RemovePodSandbox', takesMs: 150 },
] as const
const rounds = 2 * calls.length

test(
  'kill -9 in the middle of a call: the same call again succeeds, and nothing is left over',
  story(async (s, t) => {
    for (let round = 0; round < rounds; round++) {
      const chosen = calls[round % calls.length]
      assert.ok(chosen)
      const { call, takesMs } = chosen
      const delayMs = Math.floor(Math.random() * takesMs)
      t.diagnostic(`round ${String(round)}: ${call} killed after ${String(delayMs)} ms`)
      const pod = await s.runPod()
      const other = { ...pod.config, metadata: { ...pod.config.metadata, name: `other-${String(round)}` } }
      const config = s.container()
      const id = call === 'CreateContainer' || call === 'RunPodSandbox' ? '' : await s.create(pod)
      if (/^(Stop|Remove)/.test(call)) await s.cri.startContainer(id)
      const run = async (): Promise<unknown> => {
        switch (call) {
          case 'RunPodSandbox':
            return s.cri.runPod(other)
          case 'CreateContainer':
            return s.cri.createContainer(pod.id, config, pod.config)
          case 'StartContainer':
            return s.cri.startContainer(id)
          case 'StopContainer':
            return s.cri.stopContainer(id, 1)
          case 'RemoveContainer':
            return s.cri.removeContainer(id)
          case 'StopPodSandbox':
            return s.cri.stopPod(pod.id)
          case 'RemovePodSandbox':
            return s.cri.removePod(pod.id)
        }
      }
      const first = run().then(
        () => true,
        () => false,
      )
      await delay(delayMs)
      await s.daemon.kill()
      const isAnswered = await first
      await s.daemon.start()
      const isRunning =
        call === 'StartContainer' &&
        (await s.cri.containerStatus(id)).state === containerState.CONTAINER_RUNNING
      const isTaken = isAnswered && (call === 'RunPodSandbox' || call === 'CreateContainer')
      if (!isRunning && !isTaken) await run()
      for (const podId of await s.cri.listPods()) {
        await s.cri.stopPod(podId)
        await s.cri.removePod(podId)
      }
      await s.auditor.assertNothingLeft()
    }
  }),
)
