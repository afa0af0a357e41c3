import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import type { Host } from '#shim/host'
import { createHost } from '#shim/lighter-host'
import { createFakeHost } from '../testing/fake-host.ts'
import { createUserNamespaceProbe } from './user-namespace-probe.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }

interface Directories {
  readonly rootDir: string
  readonly stateDir: string
}

async function directories(t: TestContext): Promise<Directories> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-probe-'))
  t.after(() => rm(directory, { recursive: true }))
  await chmod(directory, 0o711)
  const [rootDir, stateDir] = [join(directory, 'root'), join(directory, 'state')]
  await mkdir(rootDir)
  await mkdir(stateDir, { mode: 0o711 })
  return { rootDir, stateDir }
}

async function realHost(t: TestContext): Promise<Host> {
  const programPath = fileURLToPath(new URL('../../native/lighter-host', import.meta.url))
  const host = createHost({ programPath, log: silentLog })
  t.after(() => host.stop())
  await host.start()
  return host
}

test('a node that can map ids is told so, and nothing is left of the trial', async t => {
  const where = await directories(t)
  const probe = createUserNamespaceProbe({ host: await realHost(t), ...where })
  assert.equal(await probe.problem(ctx), '')
  assert.deepEqual([await readdir(where.rootDir), await readdir(where.stateDir)], [[], []])
})

test('a state directory that others may not enter is the problem', async t => {
  const where = await directories(t)
  await chmod(where.stateDir, 0o700)
  const probe = createUserNamespaceProbe({ host: createFakeHost(), ...where })
  assert.match(await probe.problem(ctx), new RegExp(`enter ${where.stateDir}: chmod`))
})

for (const operation of ['createSandbox', 'bind', 'mountOverlay'] as const) {
  test(`what fails is the problem, and the trial is undone: ${operation}`, async t => {
    const host = createFakeHost()
    host.fail(operation, new RuntimeError('internal', 'this kernel cannot'))
    const probe = createUserNamespaceProbe({ host, ...(await directories(t)) })
    assert.equal(await probe.problem(ctx), 'this kernel cannot')
    assert.deepEqual(host.mounts, [])
  })
}

test('the trial is made once, for all who ask', async t => {
  const host = createFakeHost()
  const probe = createUserNamespaceProbe({ host, ...(await directories(t)) })
  await Promise.all([probe.problem(ctx), probe.problem(ctx)])
  await probe.problem(ctx)
  assert.equal(host.calls.filter(call => call.startsWith('createSandbox')).length, 1)
})
