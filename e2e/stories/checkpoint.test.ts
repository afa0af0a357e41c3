import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { containerState, int64 } from '../harness/configs.ts'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { criuConfig, whyNoCriu } from '../harness/criu.ts'
import { eventually } from '../harness/eventually.ts'
import { readLogText } from '../harness/pod-log.ts'
import { mustRun } from '../harness/program.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

const skip = await whyNoCriu()
const story = useWorld({ config: criuConfig })

/** Counts in the memory of its shell, says on which host, and changes files of its image. */
const counter =
  'rm /bin/wc; rm -r /etc/ssl; mkdir -p /etc/ssl; echo changed > /etc/ssl/changed; ' +
  'i=0; while :; do i=$((i+1)); echo "$i $(hostname)"; sleep 0.1; done'

async function checkpoint(s: Story, containerId: string, location: string): Promise<void> {
  await s.cri.client.call(rpc.CheckpointContainer, { containerId, location, timeout: int64(30) })
}

async function counts(s: Story, pod: TestPod): Promise<readonly number[]> {
  return (await readLogText(s.logPath(pod))).map(line => Number(line.split(' ')[0]))
}

/** Waits until it has counted so far; answers the last number. */
function countedTo(s: Story, pod: TestPod, least: number): Promise<number> {
  return eventually(`a count of ${String(least)}`, async () => {
    const last = (await counts(s, pod)).at(-1) ?? 0
    return last >= least && last
  })
}

test(
  'a counter is checkpointed and goes on, and goes on counting in another pod from the archive',
  { skip },
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: counter })
    await countedTo(s, pod, 5)
    const archive = join(s.scratch.dir, 'counter.tar')
    await checkpoint(s, id, archive)
    const atCheckpoint = (await counts(s, pod)).at(-1) ?? 0
    await countedTo(s, pod, atCheckpoint + 5)
    assert.deepEqual(
      await counts(s, pod),
      [...(await counts(s, pod)).keys()].map(index => index + 1),
    )
    assert.equal((await stat(archive)).mode & 0o777, 0o600)
    const names = (await mustRun(['tar', '-tf', archive])).split('\n')
    for (const name of [
      'config.dump',
      'spec.dump',
      'deleted.files',
      'dump.log',
      'stats-dump',
      'rootfs-diff.tar',
    ]) {
      assert.ok(names.includes(name), name)
    }
    await s.cri.stopContainer(id)

    const other = await s.runPod()
    const restored = await s.create(other, { image: archive, shell: counter })
    assert.equal((await s.cri.containerStatus(restored)).state, containerState.CONTAINER_CREATED)
    await s.cri.startContainer(restored)
    await countedTo(s, other, atCheckpoint + 5)
    const continued = await counts(s, other)
    assert.ok((continued[0] ?? 0) > 1 && (continued[0] ?? 0) <= atCheckpoint + 1, String(continued[0]))
    assert.deepEqual(
      continued,
      [...continued.keys()].map(index => index + (continued[0] ?? 0)),
    )
    const [lastLine = ''] = (await readLogText(s.logPath(other))).slice(-1)
    assert.equal(lastLine.split(' ')[1], other.config.hostname)
    assert.equal(await s.exec(restored, 'cat', '/etc/ssl/changed'), 'changed')
    assert.equal(await s.exec(restored, 'ls', '/etc/ssl'), 'changed')
    assert.notEqual((await s.cri.exec(restored, ['ls', '/bin/wc'])).exitCode, 0)
    await s.cri.stopContainer(restored)
    assert.equal((await s.cri.containerStatus(restored)).exitCode, 137)
  }),
)

test(
  'crictl checkpoints a container, and its archive is that of the CRI',
  { skip: skip || (await whyNoCrictl()) },
  story(async s => {
    const id = await s.run(await s.runPod())
    const location = join(s.scratch.dir, 'crictl.tar')
    const crictl = await createCrictl(s.scratch)
    await crictl('checkpoint', '--export', location, id)
    const dump = JSON.parse(await mustRun(['tar', '-xOf', location, 'config.dump'])) as Record<string, string>
    assert.equal(dump['id'], id)
    assert.equal(dump['name'], 'main')
    assert.equal(dump['rootfsImageName'], s.registry.busybox)
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
  }),
)

test(
  'a terminal and an open connection are restored, also when the daemon dies before the start',
  { skip },
  story(async s => {
    const shell =
      'mkfifo /tmp/pipe; (sleep 1000 | nc -l -p 7777 > /tmp/received &); sleep 0.5; (nc 127.0.0.1 7777 < /tmp/pipe &); ' +
      'exec 3> /tmp/pipe; i=0; while :; do i=$((i+1)); echo $i; echo $i >&3; sleep 0.1; done'
    const pod = await s.runPod()
    const id = await s.run(pod, { shell, tty: true })
    await countedTo(s, pod, 5)
    const archive = join(s.scratch.dir, 'tty.tar')
    await checkpoint(s, id, archive)
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)

    const other = await s.runPod()
    const restored = await s.create(other, { image: archive, shell, tty: true })
    await s.daemon.kill()
    await s.daemon.start()
    assert.equal((await s.cri.containerStatus(restored)).state, containerState.CONTAINER_CREATED)
    await s.cri.startContainer(restored)
    const received = await eventually('the connection carries what is counted now', async () => {
      const lines = (await s.exec(restored, 'cat', '/tmp/received')).split('\n').map(Number)
      const last = (await counts(s, other)).at(-1) ?? 0
      return lines.length > 10 && lines.length >= last - 2 && lines
    })
    assert.deepEqual(
      received,
      received.map((_, index) => index + 1),
    )
    assert.ok(((await counts(s, other))[0] ?? 0) >= 5)
  }),
)
