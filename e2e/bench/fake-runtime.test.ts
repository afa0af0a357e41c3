import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { mustRun, runProgram } from '../harness/program.ts'
import { compileFakeRuntime } from './fake-runtime.ts'

test('the fake runtime keeps a process for each container until it is killed', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'lighter-fake-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const path = await compileFakeRuntime(dir)
  // The output of a container stays open: a program that waits for its end must not see it.
  const fake = (...args: readonly string[]) =>
    runProgram(['sh', '-c', '"$0" "$@" >"$OUT" 2>&1', path, '--root', join(dir, 'state', 'below'), ...args], {
      env: { OUT: join(dir, 'out') },
    })
  const pidFile = join(dir, 'pid')
  assert.equal((await fake('run', '--detach', '--bundle', dir, '--pid-file', pidFile, 'one')).exitCode, 0)
  const pid = Number(await readFile(pidFile, 'utf8'))
  t.after(() => runProgram(['kill', '-KILL', String(pid)]))
  process.kill(pid, 0)

  await fake('state', 'one')
  assert.match(await readFile(join(dir, 'out'), 'utf8'), new RegExp(`"pid":${pid},"status":"running"`))
  assert.equal((await fake('kill', 'one', 'KILL')).exitCode, 0)
  await eventually('the process is dead', async () =>
    /^\S+ \S+ Z|^$/.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
  )
  assert.equal((await fake('delete', 'one')).exitCode, 0)
  assert.notEqual((await fake('state', 'one')).exitCode, 0)
  assert.match(await mustRun([path, 'features']), /^\{"ociVersionMin"/)
})
