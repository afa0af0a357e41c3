import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { readExitFile } from './exit-file.ts'

test('exit files are read, and what is none is refused', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-exit-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'exit')
  assert.equal(await readExitFile(path), undefined)

  const exited = 'version 1\nexit_code 137\nsignal 9\noom 1\nfinished_ns 1700000000123456789\n'
  const good = [
    {
      text: exited,
      state: {
        kind: 'exited',
        exit: { exitCode: 137, signal: 9, isOomKilled: true, finishedAtNs: 1700000000123456789n },
      },
    },
    {
      text: 'version 1\nerror exec: "x": not found\n',
      state: { kind: 'failed', message: 'exec: "x": not found' },
    },
    { text: 'version 1\nerror \n', state: { kind: 'failed', message: '' } },
  ]
  for (const { text, state } of good) {
    await writeFile(path, text)
    assert.deepEqual(await readExitFile(path), state)
  }

  const bad = [
    '',
    'version 2\nexit_code 0\n',
    exited.replace('exit_code 137', 'exit_code x'),
    exited.replace('signal 9\n', ''),
    exited.replace('123456789\n', '123456789123456789\n'),
    exited.slice(0, 30),
  ]
  for (const text of bad) {
    await writeFile(path, text)
    await assert.rejects(readExitFile(path), err => isKind(err, 'data-loss'), JSON.stringify(text))
  }
  await writeFile(path, Buffer.alloc(20_000))
  await assert.rejects(readExitFile(path), err => isKind(err, 'resource-exhausted'))
})
