import assert from 'node:assert/strict'
import { rename, stat } from 'node:fs/promises'
import test from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { readText } from '../harness/files.ts'
import { readLog, readLogText } from '../harness/pod-log.ts'
import { exited } from '../harness/states.ts'
import { useWorld } from '../harness/world.ts'

const story = useWorld()

test(
  'every line has time, stream and tag; a rest without line feed is a piece',
  story(async s => {
    const pod = await s.runPod()
    await exited(
      s.cri,
      await s.run(pod, { shell: 'echo one; sleep 0.1; echo two >&2; sleep 0.1; printf rest' }),
    )
    const lines = await readLog(s.logPath(pod))
    assert.deepEqual(
      lines.map(({ stream, tag, text }) => ({ stream, tag, text })),
      [
        { stream: 'stdout', tag: 'F', text: 'one' },
        { stream: 'stderr', tag: 'F', text: 'two' },
        { stream: 'stdout', tag: 'P', text: 'rest' },
      ],
    )
    const times = lines.map(line => line.time)
    assert.deepEqual(times, [...times].sort())
    assert.equal((await stat(s.logPath(pod))).mode & 0o777, 0o640)
  }),
)

test(
  'a line longer than 16 KiB is cut into pieces that add up',
  story(async s => {
    const pod = await s.runPod()
    const size = 100_000
    await exited(
      s.cri,
      await s.run(pod, { shell: `head -c ${String(size)} /dev/zero | tr '\\0' x; echo; echo end` }),
    )
    const lines = await readLog(s.logPath(pod))
    assert.ok(lines.every(line => line.text.length <= 16 * 1024))
    assert.ok(lines.filter(line => line.tag === 'P').length >= 6)
    assert.deepEqual(
      (await readLogText(s.logPath(pod))).map(text => text.length),
      [size, 3],
    )
  }),
)

test(
  'much output arrives whole and in order',
  story(async s => {
    const pod = await s.runPod()
    await exited(s.cri, await s.run(pod, { shell: 'seq 1 300000' }), 60_000)
    const texts = await readLogText(s.logPath(pod))
    assert.equal(texts.length, 300_000)
    assert.ok(texts.every((text, index) => text === String(index + 1)))
  }),
)

test(
  'reopening after a rename goes on in a new file without losing or doubling a line',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, {
      shell:
        'trap "exit 0" TERM; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; done; sleep 1000 & wait',
    })
    const path = s.logPath(pod)
    const rotated: string[] = []
    for (const number of [1, 2, 3]) {
      await eventually('there is output', async () => (await readText(path)).length > 50_000)
      await rename(path, `${path}.${String(number)}`)
      rotated.push(`${path}.${String(number)}`)
      await s.cri.reopenLog(id)
    }
    await eventually('all is written', async () => (await readText(path)).endsWith(' 100000\n'))
    const texts: string[] = []
    for (const file of [...rotated, path]) texts.push(...(await readLogText(file)))
    assert.equal(texts.length, 100_000)
    assert.ok(texts.every((text, index) => text === String(index + 1)))
  }),
)

test(
  'reopening the log of what does not run fails and makes no file',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: 'echo once' })
    await exited(s.cri, id)
    await rename(s.logPath(pod), `${s.logPath(pod)}.1`)
    await assert.rejects(s.cri.reopenLog(id), new RegExp(id.slice(0, 12)))
    assert.equal(await readText(s.logPath(pod)), '')
    await assert.rejects(stat(s.logPath(pod)))
  }),
)

test(
  'a container without log path has no log and runs on when it writes much',
  story(async s => {
    const id = await s.run(await s.runPod(), {
      shell: 'seq 1 100000; echo x > /tmp/done; exec sleep 1000',
      logPath: '',
    })
    await eventually(
      'it wrote all',
      async () => (await s.cri.exec(id, ['test', '-e', '/tmp/done'])).exitCode === 0,
    )
    assert.equal((await s.cri.containerStatus(id)).logPath, '')
  }),
)

test(
  'a terminal is one stream, and is a terminal inside',
  story(async s => {
    const pod = await s.runPod()
    await exited(s.cri, await s.run(pod, { shell: 'tty; echo err >&2', tty: true }))
    const lines = await readLog(s.logPath(pod))
    assert.ok(lines.every(line => line.stream === 'stdout'))
    assert.deepEqual(
      lines.map(line => line.text.replace(/\r$/, '')),
      ['/dev/pts/0', 'err'],
    )
  }),
)

test(
  'stdin stays open when asked for, and is empty when not',
  story(async s => {
    const pod = await s.runPod()
    const closed = await s.run(pod, { name: 'closed', shell: 'cat; echo end' })
    await exited(s.cri, closed)
    assert.deepEqual(await readLogText(s.logPath(pod, 'closed')), ['end'])
    const open = await s.run(pod, { name: 'open', shell: 'echo begin; cat; echo end', stdin: true })
    await eventually('it runs', async () => (await readLogText(s.logPath(pod, 'open'))).includes('begin'))
    await s.exec(open, 'true')
    assert.equal((await s.cri.containerStatus(open)).state, 1)
    assert.deepEqual(await readLogText(s.logPath(pod, 'open')), ['begin'])
  }),
)
