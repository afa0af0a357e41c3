import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Bench, interleave } from './bench.ts'
import { parseOptions } from './options.ts'
import { createSheet } from './report/sheet.ts'
import type { Subject } from './subjects/subject.ts'

function benchOf(names: readonly string[], signal: AbortSignal): Bench {
  const subjects = names.map(
    (name): Subject => ({
      name,
      version: '',
      cri: undefined as never,
      socketPath: '',
      scratch: undefined as never,
      image: '',
      fakeHandler: undefined,
      restart: undefined,
      publish: () => '',
      daemonPid: () => Promise.resolve(0),
      clear: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }),
  )
  const options = parseOptions(['--rounds', '2', '--warm-up', '1'], [])
  return { subjects, options, sheet: createSheet(), signal }
}

describe('interleave', () => {
  it('takes turns, and drops what is recorded while warming up', async () => {
    const bench = benchOf(['a', 'b'], new AbortController().signal)
    const turns: string[] = []
    await interleave(bench, (subject, record) => {
      turns.push(subject.name)
      record({ metric: 'turn', unit: 'ms', value: turns.length })
      return Promise.resolve()
    })
    assert.deepEqual(turns, ['a', 'b', 'a', 'b', 'a', 'b'])
    assert.deepEqual(
      bench.sheet.figures().map(({ subject, samples }) => [subject, samples]),
      [
        ['a', [3, 5]],
        ['b', [4, 6]],
      ],
    )
  })

  it('ends before the next turn when it is interrupted', async () => {
    const interrupt = new AbortController()
    const bench = benchOf(['a', 'b'], interrupt.signal)
    let turns = 0
    const running = interleave(bench, () => {
      turns += 1
      interrupt.abort(new Error('interrupted'))
      return Promise.resolve()
    })
    await assert.rejects(running, /interrupted/)
    assert.equal(turns, 1)
  })
})
