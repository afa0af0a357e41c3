import assert from 'node:assert/strict'
import { open } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createLogOutput } from './logging.ts'
import { makeTestDirectory } from './testing/door-fixture.ts'

test('one JSON object a line, with level, time and fields, and what is pending is written on close', async t => {
  const path = join(await makeTestDirectory(t), 'log')
  // Whoever logs to a file descriptor of its own also closes it.
  const output = createLogOutput('info', await promisify(open)(path, 'w'))
  const { log } = output
  log.child({ rpc: 'Version' }).info({ ms: 3, at: 5n }, 'rpc done')
  log.debug({}, 'not at this level')
  for (let index = 0; index < 1000; index++) log.warn({ index }, 'many')
  await output.close()
  const lines = (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line)
  const [first, ...rest] = lines
  assert.ok(first)
  const { time, ...fields } = first
  assert.deepEqual(fields, { level: 'info', rpc: 'Version', ms: 3, at: 5, msg: 'rpc done' })
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time)
  assert.deepEqual(
    rest.map(({ index }) => index),
    Array.from({ length: 1000 }, (_, index) => index),
  )
})

interface Line {
  readonly time: string
  readonly index?: number
}
