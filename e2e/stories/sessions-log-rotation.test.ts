import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { readLogText } from '../harness/pod-log.ts'
import { exited } from '../harness/states.ts'
import { useWorld } from '../harness/world.ts'

const story = useWorld()
const rotations = 20
const pauseMs = 20
const lines = 2_000_000

test(
  'no line is lost or doubled through twenty rotations while a container logs at full speed',
  { timeout: 180_000 },
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: `seq 1 ${String(lines)}; seq 1 ${String(lines)}` })
    const path = s.logPath(pod)
    const files: string[] = []
    for (let number = 1; number <= rotations; number++) {
      await delay(pauseMs)
      await rename(path, `${path}.${String(number)}`)
      await s.cri.reopenLog(id)
      files.push(`${path}.${String(number)}`)
    }
    await exited(s.cri, id, 120_000)
    let next = 1
    let filesWithLines = 0
    for (const file of [...files, path]) {
      const texts = await readLogText(file)
      if (texts.length > 0) filesWithLines++
      for (const text of texts) {
        if (text !== String(next)) assert.fail(`${file}: "${text}" where ${String(next)} belongs`)
        next = next === lines ? 1 : next + 1
      }
    }
    assert.equal(next, 1)
    assert.ok(filesWithLines > rotations / 2, `only ${String(filesWithLines)} files have lines`)
  }),
)
