import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { pidsOf } from '../harness/processes.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()
const mebibyte = 1024 * 1024

/** Files of execs in the directories of all containers. */
async function execFiles(s: Story): Promise<readonly string[]> {
  const names = await readdir(join(s.scratch.stateDir, 'containers'), { recursive: true })
  return names.filter(name => /\/(exec|console)-[^/]*$/.test(name))
}

test(
  'two hundred commands at once, in one container, are all executed',
  story(async s => {
    const id = await s.run(await s.runPod())
    const numbers = Array.from({ length: 200 }, (_, number) => number)
    const outcomes = await Promise.all(
      numbers.map(number =>
        s.cri.exec(id, ['sh', '-c', `echo ${String(number)}; exit ${String(number % 7)}`]),
      ),
    )
    assert.deepEqual(
      outcomes,
      numbers.map(number => ({ stdout: `${String(number)}\n`, stderr: '', exitCode: number % 7 })),
    )
    assert.deepEqual(await execFiles(s), [])
  }),
)

test(
  'a command that takes too long is gone when the answer comes, with what it started',
  story(async s => {
    const id = await s.run(await s.runPod())
    const script = 'trap "" TERM HUP INT; sleep 4501 & sleep 4502 | sleep 4503'
    const began = Date.now()
    await assert.rejects(s.cri.exec(id, ['sh', '-c', script], 1), /DEADLINE_EXCEEDED/)
    assert.ok(Date.now() - began < 5000)
    assert.deepEqual(await pidsOf('sleep', '450'), [])
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
  }),
)

test(
  'a grandchild that keeps the output open does not keep the answer',
  story(async s => {
    const id = await s.run(await s.runPod())
    const began = Date.now()
    assert.equal(await s.exec(id, 'sh', '-c', 'sleep 4511 & echo begun'), 'begun')
    assert.ok(Date.now() - began < 5000)
  }),
)

test(
  'output beyond 16 MiB is dropped, and the command goes on',
  story(async s => {
    const id = await s.run(await s.runPod())
    const script = 'head -c 20000000 /dev/zero | tr "\\\\0" x; echo done > /tmp/done'
    const { stdout, exitCode } = await s.cri.exec(id, ['sh', '-c', script])
    assert.deepEqual([stdout.length, exitCode], [16 * mebibyte, 0])
    assert.equal(await s.exec(id, 'cat', '/tmp/done'), 'done')
  }),
)

test(
  'a daemon that dies takes its commands with it, and the next one finds none of their files',
  story(async s => {
    const id = await s.run(await s.runPod())
    const lost = assert.rejects(s.cri.exec(id, ['sleep', '4521']))
    await eventually('the command runs', async () => (await pidsOf('sleep', '4521')).length > 0)
    await s.daemon.kill()
    await lost
    await eventually('the command ends', async () => (await pidsOf('sleep', '4521')).length === 0)
    await s.daemon.start()
    assert.equal(await s.exec(id, 'echo', 'again'), 'again')
    assert.deepEqual(await execFiles(s), [])
  }),
)
