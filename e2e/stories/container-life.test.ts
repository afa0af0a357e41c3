import assert from 'node:assert/strict'
import test from 'node:test'
import { v1 } from '#proto'
import { containerState, int64 } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { fails } from '../harness/expect.ts'
import { readLogText } from '../harness/pod-log.ts'
import { exited, finishedAt, startedAt } from '../harness/states.ts'
import { useWorld } from '../harness/world.ts'

const story = useWorld()

for (const { what, shell, exitCode, reason } of [
  { what: 'success', shell: 'exit 0', exitCode: 0, reason: 'Completed' },
  { what: 'a failure', shell: 'exit 42', exitCode: 42, reason: 'Error' },
  {
    what: 'a child ended by a signal',
    shell: "sh -c 'kill -TERM $$'; exit $?",
    exitCode: 143,
    reason: 'Error',
  },
  { what: 'an unknown command', shell: '/nowhere', exitCode: 127, reason: 'Error' },
]) {
  test(
    `exit code and reason of ${what} are reported`,
    story(async s => {
      const pod = await s.runPod()
      const id = await s.run(pod, { shell })
      const status = await exited(s.cri, id)
      assert.deepEqual({ exitCode: status.exitCode, reason: status.reason }, { exitCode, reason })
      assert.ok(startedAt(status) > 0n && finishedAt(status) >= startedAt(status))
    }),
  )
}

test(
  'a created container has no times and does not run; a started one cannot be started again',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.create(pod)
    const created = await s.cri.containerStatus(id)
    assert.equal(created.state, containerState.CONTAINER_CREATED)
    assert.deepEqual([startedAt(created), finishedAt(created)], [0n, 0n])
    await s.cri.startContainer(id)
    const running = await s.cri.containerStatus(id)
    assert.equal(running.state, containerState.CONTAINER_RUNNING)
    assert.equal(finishedAt(running), 0n)
    await fails(s.cri.startContainer(id), 'failedPrecondition', new RegExp(id.slice(0, 12)))
  }),
)

test(
  'a command that does not exist fails the start and leaves an exited container with StartError',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.create(pod, { command: ['/no/such/program'] })
    await assert.rejects(s.cri.startContainer(id), /no such file or directory/)
    const status = await s.cri.containerStatus(id)
    assert.equal(status.state, containerState.CONTAINER_EXITED)
    assert.deepEqual([status.exitCode, status.reason], [128, 'StartError'])
    assert.match(status.message ?? '', /no such file or directory/)
    await s.cri.removeContainer(id)
  }),
)

test(
  'a container over its memory limit ends with 137 and OOMKilled',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, {
      shell: 'dd if=/dev/zero of=/dev/null bs=20M',
      resources: { memoryLimitInBytes: int64(15 * 1024 * 1024) },
    })
    const status = await exited(s.cri, id)
    assert.deepEqual([status.exitCode, status.reason], [137, 'OOMKilled'])
  }),
)

test(
  'stop sends SIGTERM and waits for a handler to finish',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, {
      shell: 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.1; done',
    })
    await eventually('the handler is set', async () => (await readLogText(s.logPath(pod))).includes('ready'))
    await s.cri.stopContainer(id, 20)
    const status = await s.cri.containerStatus(id)
    assert.deepEqual([status.state, status.exitCode], [containerState.CONTAINER_EXITED, 3])
    assert.deepEqual(await readLogText(s.logPath(pod)), ['ready', 'bye'])
  }),
)

test(
  'stop kills what ignores SIGTERM when the time is up, and not before',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: 'trap "" TERM; echo ready; while :; do sleep 0.1; done' })
    await eventually('the handler is set', async () => (await readLogText(s.logPath(pod))).includes('ready'))
    const begin = performance.now()
    await s.cri.stopContainer(id, 2)
    const tookMs = performance.now() - begin
    assert.ok(tookMs >= 1_900 && tookMs < 8_000, `took ${tookMs.toFixed(0)} ms`)
    assert.equal((await s.cri.containerStatus(id)).exitCode, 137)
  }),
)

test(
  'a second stop with a shorter time takes effect',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: 'trap "" TERM; echo ready; while :; do sleep 0.1; done' })
    await eventually('the handler is set', async () => (await readLogText(s.logPath(pod))).includes('ready'))
    const begin = performance.now()
    const slow = s.cri.stopContainer(id, 50)
    await s.cri.stopContainer(id, 1)
    await slow
    assert.ok(performance.now() - begin < 10_000)
    assert.equal((await s.cri.containerStatus(id)).exitCode, 137)
  }),
)

test(
  'stop with time 0 kills at once; stopping again, and what never ran, is fine',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: 'trap "" TERM; while :; do sleep 1; done' })
    await s.cri.stopContainer(id, 0)
    assert.equal((await s.cri.containerStatus(id)).exitCode, 137)
    await s.cri.stopContainer(id, 0)
    const created = await s.create(pod, { name: 'idle' })
    await s.cri.stopContainer(created, 0)
    await s.cri.stopContainer('e'.repeat(64), 0)
  }),
)

test(
  "the image's or the config's stop signal is sent instead of SIGTERM",
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, {
      shell: 'trap "exit 10" TERM; trap "exit 11" USR1; echo ready; while :; do sleep 0.1; done',
      stopSignal: v1.Signal.SIGNAL_SIGUSR1,
    })
    await eventually('the handler is set', async () => (await readLogText(s.logPath(pod))).includes('ready'))
    await s.cri.stopContainer(id, 20)
    const status = await s.cri.containerStatus(id)
    assert.equal(status.exitCode, 11)
    assert.equal(status.stopSignal, v1.Signal.SIGNAL_SIGUSR1)
  }),
)

test(
  'removing a running container kills it; removing it again is fine',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod)
    await s.cri.removeContainer(id)
    await fails(s.cri.containerStatus(id), 'notFound', new RegExp(id))
    await s.cri.removeContainer(id)
    const again = await s.run(pod)
    assert.notEqual(again, id, 'the name is free again')
  }),
)

test(
  'exec answers output and exit code of the command',
  story(async s => {
    const id = await s.run(await s.runPod(), { env: { WORD: 'of the container' }, workingDir: '/tmp' })
    const outcome = await s.cri.exec(id, ['sh', '-c', 'echo "$WORD"; pwd; echo oops >&2; exit 5'])
    assert.deepEqual(outcome, { stdout: 'of the container\n/tmp\n', stderr: 'oops\n', exitCode: 5 })
    assert.equal((await s.cri.exec(id, ['sh', '-c', 'kill -9 $$'])).exitCode, 137)
  }),
)

test(
  'exec of what does not exist, and in what does not run, fails',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod)
    await assert.rejects(s.cri.exec(id, ['/no/such/program']), /no such file or directory/)
    const created = await s.create(pod, { name: 'idle' })
    await fails(s.cri.exec(created, ['true']), 'failedPrecondition', new RegExp(created.slice(0, 12)))
    await fails(s.cri.exec('e'.repeat(64), ['true']), 'notFound', /eeee/)
  }),
)

test(
  'an exec over its time is killed with its children',
  story(async s => {
    const id = await s.run(await s.runPod())
    await fails(s.cri.exec(id, ['sh', '-c', 'sleep 5555 & sleep 4444'], 1), 'deadlineExceeded', /./)
    assert.doesNotMatch(await s.exec(id, 'ps'), /sleep (4444|5555)/)
  }),
)

test(
  'exec answers when the command ends, although a grandchild holds its output',
  story(async s => {
    const id = await s.run(await s.runPod())
    const begin = performance.now()
    assert.equal(await s.exec(id, 'sh', '-c', 'echo done; setsid sleep 3333 &'), 'done')
    assert.ok(performance.now() - begin < 5_000)
  }),
)

test(
  'much output of an exec arrives whole',
  story(async s => {
    const id = await s.run(await s.runPod())
    const { stdout } = await s.cri.exec(id, ['sh', '-c', 'seq 1 200000'])
    const lines = stdout.trimEnd().split('\n')
    assert.deepEqual([lines.length, lines[0], lines.at(-1)], [200_000, '1', '200000'])
  }),
)
