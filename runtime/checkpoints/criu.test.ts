import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { RuntimeError } from '#base/errors'
import type { ProgramResult } from '#base/programs'
import { testCtx } from '../testing/container-bench.ts'
import { createFakeHost } from '../testing/fake-host.ts'
import { createCriuFinder } from './criu.ts'

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'criu-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

async function install(path: string, text = ''): Promise<void> {
  await writeFile(path, text)
  await chmod(path, 0o755)
}

const ended = (exitCode: number, stderr = ''): Promise<ProgramResult> =>
  Promise.resolve({ exitCode, stdout: Buffer.alloc(0), stderr: Buffer.from(stderr) })

test('CRIU is looked up in PATH and asked once whether it works', async t => {
  const first = await directory(t)
  const second = await directory(t)
  await mkdir(join(first, 'criu')) // not a program
  await install(join(second, 'criu'))
  const host = createFakeHost()
  const finder = createCriuFinder({ programs: host, nameOrPath: 'criu', searchPath: `${first}:.:${second}` })
  assert.deepEqual(await finder.find(testCtx), { directory: second })
  assert.deepEqual(await finder.find(testCtx), { directory: second })
  assert.deepEqual(
    host.calls.filter(call => call.startsWith('run')),
    [`run ${second}/criu check`],
  )
})

test('without it the error says where it was looked for and what to do', async t => {
  const path = await directory(t)
  const finder = createCriuFinder({ programs: createFakeHost(), nameOrPath: 'criu', searchPath: path })
  await assert.rejects(finder.find(testCtx), {
    kind: 'failed-precondition',
    message: `checkpoint and restore need CRIU, and there is no "criu" in lighterd's PATH: install it (package criu), or set checkpoint.criuPath`,
  })
})

test('one that does not work is named with its reason, and asked again when it is another one', async t => {
  const path = join(await directory(t), 'criu')
  await install(path)
  const host = createFakeHost()
  host.onRun = () => ended(1, 'Warn  (a.c:1): never mind\nError (b.c:2): vdso is out of bounds\n')
  const finder = createCriuFinder({ programs: host, nameOrPath: path, searchPath: '' })
  for (let time = 0; time < 2; time++) {
    await assert.rejects(finder.find(testCtx), {
      kind: 'failed-precondition',
      message:
        /does not work on this node: .*exit code 1 \(Error \(b\.c:2\): vdso is out of bounds\): install/,
    })
  }
  await install(path, 'newer')
  host.onRun = () => ended(0)
  assert.ok(await finder.find(testCtx))
})

test('one that hangs is unusable, too', async t => {
  const path = join(await directory(t), 'criu')
  await install(path)
  const host = createFakeHost()
  host.onRun = () => Promise.reject(new RuntimeError('deadline-exceeded', 'time is up'))
  const finder = createCriuFinder({ programs: host, nameOrPath: path, searchPath: '' })
  await assert.rejects(finder.find(testCtx), { kind: 'failed-precondition', message: /criu check hangs/ })
})
