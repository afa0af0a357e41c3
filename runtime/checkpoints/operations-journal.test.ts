import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Program } from '#base/programs'
import { testCtx } from '../testing/container-bench.ts'
import { createOperationsJournal, type JournalEntry, type OperationsJournal } from './operations-journal.ts'

const container = { id: 'c1', runtimePath: '/runc', runtimeRoot: '/rr', hasSystemdCgroup: false }

interface Bench {
  readonly root: string
  readonly journal: OperationsJournal
  readonly ran: string[]
  answer: { exitCode: number; stderr: string }
}

async function open(t: TestContext): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'journal-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const bench = { root, ran: [] as string[], answer: { exitCode: 0, stderr: '' } }
  const host = {
    run(_ctx: unknown, { argv }: Program) {
      bench.ran.push(argv.join(' '))
      const { exitCode, stderr } = bench.answer
      return Promise.resolve({ exitCode, stdout: Buffer.alloc(0), stderr: Buffer.from(stderr) })
    },
    async removeTree(_ctx: unknown, paths: readonly string[]) {
      for (const path of paths) await rm(path, { recursive: true, force: true })
    },
  }
  return Object.assign(bench, { journal: createOperationsJournal(join(root, 'journal'), host) })
}

async function begun(t: TestContext, bench: Bench): Promise<JournalEntry> {
  const partial = join(bench.root, 'partial')
  await writeFile(partial, 'half')
  const entry = { containers: [container], partial: [partial] }
  const directory = await bench.journal.begin('t1', entry)
  await mkdir(join(directory, 'capture'))
  t.diagnostic(directory)
  return entry
}

test('what ends leaves nothing', async t => {
  const bench = await open(t)
  await begun(t, bench)
  await bench.journal.end(testCtx, 't1')
  assert.deepEqual(await readdir(join(bench.root, 'journal')), [])
  assert.deepEqual(bench.ran, [])
})

test('what a dead daemon began is resumed and removed', async t => {
  const bench = await open(t)
  await begun(t, bench)
  await bench.journal.recover(testCtx)
  assert.deepEqual(bench.ran, ['/runc --root /rr resume c1'])
  assert.deepEqual(await readdir(bench.root), ['journal'])
  assert.deepEqual(await readdir(join(bench.root, 'journal')), [])
})

test('a container that is not paused, or gone, is fine', async t => {
  for (const stderr of ['cannot resume a container in the "not paused" state', 'container does not exist']) {
    const bench = await open(t)
    await begun(t, bench)
    bench.answer = { exitCode: 1, stderr }
    await bench.journal.recover(testCtx)
    assert.deepEqual(await readdir(join(bench.root, 'journal')), [])
  }
})

test('a container that cannot be resumed is tried again at the next start', async t => {
  const bench = await open(t)
  await begun(t, bench)
  bench.answer = { exitCode: 1, stderr: 'freezer is broken' }
  await bench.journal.recover(testCtx)
  assert.deepEqual(await readdir(join(bench.root, 'journal')), ['t1'])
  bench.answer = { exitCode: 0, stderr: '' }
  await bench.journal.recover(testCtx)
  assert.deepEqual(await readdir(join(bench.root, 'journal')), [])
})

test('an operation that died before it was noted, and one that nobody can read, do not stop the start', async t => {
  const bench = await open(t)
  await mkdir(join(bench.root, 'journal', 'early'), { recursive: true })
  await mkdir(join(bench.root, 'journal', 'damaged'))
  await writeFile(join(bench.root, 'journal', 'damaged', 'operation.json'), '{')
  await bench.journal.recover(testCtx)
  assert.deepEqual(await readdir(join(bench.root, 'journal')), ['damaged'])
})
