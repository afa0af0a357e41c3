import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { readExitFile } from './exit-file.ts'
import { isAlive, waitUntil } from './testing/host-fixture.ts'
import { pidsWith, startShims } from './testing/shim-fixture.ts'

const { SIGKILL, SIGTERM } = constants.signals

test('a container runs, its output is logged, its exit code reported and left in the exit file', async t => {
  const { launch } = await startShims(t)
  const container = await launch({ script: 'echo out; echo err >&2; sleep 0.1; exit 3' })
  assert.ok((await container.started()) > 1)
  const state = await container.watch.ended
  assert.ok(state?.kind === 'exited')
  assert.equal(state.exit.exitCode, 3)
  assert.equal(state.exit.signal, 0)
  assert.equal(state.exit.isOomKilled, false)
  const lines = await container.log()
  assert.deepEqual(lines.map(({ stream, tag, content }) => [stream, tag, content]).sort(), [
    ['stderr', 'F', 'err'],
    ['stdout', 'F', 'out'],
  ])
  assert.equal((await stat(container.logPath)).mode & 0o777, 0o640)
  assert.deepEqual(await readExitFile(container.spec.exitPath), state)
})

test('when the watch is gone the runtime has forgotten the container and the shim has ended', async t => {
  const { launch } = await startShims(t)
  const container = await launch({ script: 'exit 0' })
  await container.watch.gone
  assert.deepEqual(await readdir(container.spec.runtimeRoot), [])
  await waitUntil('the end of the shim', async () => (await container.shimPid()) === undefined)
  assert.deepEqual(await pidsWith(container.spec.id, ''), [])
})

test('a signal reaches init, and its death is reported with the signal', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({ script: 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done' })
  await container.started()
  await waitUntil('the trap', async () => (await container.log()).length > 0)
  assert.equal(await shims.kill(ctx, container.spec.socketPath, SIGTERM), true)
  const trapped = await container.watch.ended
  assert.ok(trapped?.kind === 'exited')
  assert.deepEqual([trapped.exit.exitCode, trapped.exit.signal], [7, 0])
  assert.equal(await shims.kill(ctx, container.spec.socketPath, SIGTERM), false)

  const other = await launch({})
  await other.started()
  await assert.rejects(shims.kill(ctx, other.spec.socketPath, 65), err => isKind(err, 'invalid-argument'))
  assert.equal(await shims.kill(ctx, other.spec.socketPath, SIGKILL), true)
  const killed = await other.watch.ended
  assert.ok(killed?.kind === 'exited')
  assert.deepEqual([killed.exit.exitCode, killed.exit.signal, killed.exit.isOomKilled], [137, 9, false])
})

test('a container that needs more memory than it may have is reported as killed for that', async t => {
  const { launch } = await startShims(t)
  const args = ['/bin/dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1']
  const container = await launch({ args, memoryBytes: 16 * 1024 * 1024 })
  const state = await container.watch.ended
  assert.ok(state?.kind === 'exited')
  assert.deepEqual([state.exit.exitCode, state.exit.signal, state.exit.isOomKilled], [137, 9, true])
  assert.deepEqual(await readExitFile(container.spec.exitPath), state)
})

test('a start that fails says why, on every way, and leaves an exit file', async t => {
  const { launch, directory } = await startShims(t)
  const silent = join(directory, 'silent-runtime')
  await writeFile(silent, '#!/bin/sh\nexit 4\n')
  const talking = join(directory, 'talking-runtime')
  await writeFile(talking, '#!/bin/sh\necho starting >&2\necho "no such luck" >&2\nexit 1\n')
  const lying = join(directory, 'lying-runtime')
  await writeFile(lying, '#!/bin/sh\nexit 0\n')
  for (const path of [silent, talking, lying]) await chmod(path, 0o755)
  await mkdir(join(directory, 'a-directory'))
  const cases = [
    { options: { args: ['/bin/nope'] }, message: /exec: "\/bin\/nope": .*no such file or directory/ },
    {
      options: { runtimePath: '/nonexistent/runc' },
      message: /^cannot execute \/nonexistent\/runc: No such file/,
    },
    { options: { runtimePath: silent }, message: /exit code 4 without saying why/ },
    { options: { runtimePath: talking }, message: /^no such luck$/ },
    { options: { runtimePath: lying }, message: /^cannot open .*\/pid: No such file/ },
    { options: { runtimePath: silent, hasTty: true }, message: /exit code 4/ },
    { options: { runtimePath: lying, hasTty: true }, message: /did not connect to the console socket/ },
    {
      options: { logPath: join(directory, 'a-directory') },
      message: /cannot open log file .*Is a directory/,
    },
    { options: { logPath: join(directory, 'no/such/log') }, message: /cannot open log file .*No such file/ },
  ]
  for (const { options, message } of cases) {
    const container = await launch(options)
    const state = await container.watch.started
    assert.ok(state.kind === 'failed', JSON.stringify(state))
    assert.match(state.message, message)
    assert.deepEqual(await container.watch.ended, state)
    assert.deepEqual(await readExitFile(container.spec.exitPath), state)
    await container.watch.gone
  }
})

test('what the runtime says about a failed start does not get into the log', async t => {
  const { launch } = await startShims(t)
  const container = await launch({ args: ['/bin/nope'] })
  assert.equal((await container.watch.started).kind, 'failed')
  assert.equal(await readFile(container.logPath, 'utf8'), '')
})

test('a start that hangs is ended by SIGKILL and by nothing less', async t => {
  const { launch, shims, ctx, directory } = await startShims(t)
  const hanging = join(directory, 'hanging-runtime')
  await writeFile(hanging, '#!/bin/sh\ncase "$*" in *delete*) exit 0;; esac\nsleep 1000\n')
  await chmod(hanging, 0o755)
  const container = await launch({ runtimePath: hanging })
  const { socketPath } = container.spec
  await assert.rejects(shims.kill(ctx, socketPath, SIGTERM), err => isKind(err, 'unavailable'))
  assert.equal(await shims.kill(ctx, socketPath, SIGKILL), true)
  assert.equal((await container.watch.started).kind, 'failed')
  await container.watch.gone
})

test('the shim minds no signal but SIGKILL, and tells late watchers', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  const pid = await container.started()
  const shimPid = await container.shimPid()
  assert.ok(shimPid)
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGPIPE', 'SIGUSR1'] as const) {
    process.kill(shimPid, signal)
  }
  const late = await shims.watch(ctx, container.spec.socketPath)
  assert.deepEqual(await late.started, { kind: 'running', pid })
  late.close()
})

test('a container ends and is recorded while nobody is connected', async t => {
  const { launch } = await startShims(t)
  const container = await launch({ script: 'echo one; sleep 0.3; echo two; exit 5' })
  await container.started()
  container.watch.close()
  await waitUntil('the exit file', async () => (await readExitFile(container.spec.exitPath)) !== undefined)
  const state = await readExitFile(container.spec.exitPath)
  assert.ok(state?.kind === 'exited')
  assert.equal(state.exit.exitCode, 5)
  assert.deepEqual(
    (await container.log()).map(line => line.content),
    ['one', 'two'],
  )
})

test('a watch ends without a state when the shim is killed', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  const pid = await container.started()
  const shimPid = await container.shimPid()
  assert.ok(shimPid)
  process.kill(shimPid, 'SIGKILL')
  assert.equal(await container.watch.ended, undefined)
  await container.watch.gone
  process.kill(pid, 'SIGKILL')
  await waitUntil('the end of init', async () => !(await isAlive(pid)))
  await assert.rejects(shims.watch(ctx, container.spec.socketPath), err => isKind(err, 'not-found'))
  assert.equal(await shims.kill(ctx, container.spec.socketPath, SIGKILL), false)
  assert.equal(await readExitFile(container.spec.exitPath), undefined)
})
