import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import type { ShimSpec, ShimState } from '#shim/shim'
import { testCtx } from '../testing/container-bench.ts'
import { createFakeShims } from '../testing/fake-shims.ts'
import { observedShims } from './observed-shims.ts'

const socketPath = '/run/lighter/shim.sock'

const spec: ShimSpec = {
  id: 'c1',
  bundlePath: '/run/lighter/c1',
  runtimePath: '/usr/sbin/runc',
  runtimeRoot: '/run/lighter/runc',
  socketPath,
  exitPath: '/run/lighter/c1/exit',
  pidPath: '/run/lighter/c1/pid',
  logPath: undefined,
  oomPath: undefined,
  ioOwner: undefined,
  hasTty: false,
  hasStdin: false,
  isStdinOnce: false,
  hasSystemdCgroup: false,
}

function observe() {
  const told: string[] = []
  const fake = createFakeShims()
  const shims = observedShims(fake, {
    runtimeRan({ operation, failure, ms }) {
      assert.ok(ms >= 0)
      told.push(`${operation} ${failure ?? 'ok'}`)
    },
  })
  return { fake, shims, told }
}

const starts: readonly (readonly [what: string, state: ShimState, told: string])[] = [
  ['a container that runs', { kind: 'running', pid: 1 }, 'run ok'],
  ['one that cannot be started', { kind: 'failed', message: 'no such file' }, 'run failed-precondition'],
]

for (const [what, state, expected] of starts) {
  test(`${what} is told as "${expected}" once, when its first state is known`, async () => {
    const { fake, shims, told } = observe()
    fake.onLaunch = () => undefined
    await shims.launch(testCtx, spec)
    const watch = await shims.watch(testCtx, socketPath)
    assert.deepEqual(told, [])
    fake.at(socketPath).tell(state, false)
    await watch.started
    await shims.watch(testCtx, socketPath)
    assert.deepEqual(told, [expected])
  })
}

test('a restore is an operation of its own', async () => {
  const { shims, told } = observe()
  await shims.launch(testCtx, { ...spec, restore: { imagesPath: '/i', criuDirectory: '/c' } })
  const watch = await shims.watch(testCtx, socketPath)
  await watch.started
  assert.deepEqual(told, ['restore ok'])
})

test('a shim that is gone before it is watched is a failed run', async () => {
  const { fake, shims, told } = observe()
  await shims.launch(testCtx, spec)
  fake.at(socketPath).vanish()
  await assert.rejects(shims.watch(testCtx, socketPath), err => isKind(err, 'not-found'))
  assert.deepEqual(told, ['run not-found'])
})

test('a shim of a former daemon is watched without a word', async () => {
  const { fake, shims, told } = observe()
  fake.at(socketPath).tell({ kind: 'running', pid: 1 })
  const watch = await shims.watch(testCtx, socketPath)
  await watch.started
  assert.deepEqual(told, [])
})

test('an exec that cannot be started is a failure', async () => {
  const { shims, told } = observe()
  await shims.launch(testCtx, spec)
  const exec = shims.exec(testCtx, socketPath, {
    execId: 'e',
    processPath: '/p',
    hasTty: false,
    hasStdin: false,
    isKilledOnClose: true,
    startTimeoutMs: 1000,
  })
  await assert.rejects(exec, err => isKind(err, 'failed-precondition'))
  assert.deepEqual(told, ['exec failed-precondition'])
})
