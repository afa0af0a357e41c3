import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import type { Programs } from '#base/programs'
import { observedPrograms } from './observed-programs.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }

function observe(run: Programs['run']) {
  const told: { readonly operation: string; readonly failure: string | undefined }[] = []
  const programs = observedPrograms(
    { run },
    {
      runtimeRan({ operation, failure, ms }) {
        assert.ok(ms >= 0)
        told.push({ operation, failure })
      },
    },
  )
  return { told, call: (...argv: string[]) => programs.run(ctx, { argv, env: [], timeoutMs: 1000 }) }
}

function ending(exitCode: number): Programs['run'] {
  return () => Promise.resolve({ exitCode, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) })
}

const calls: readonly (readonly [argv: readonly string[], operation: string])[] = [
  [['/usr/sbin/runc', '--root', '/run/x', 'delete', '--force', 'id'], 'delete'],
  [['/usr/sbin/runc', '--root', '/run/x', '--systemd-cgroup', 'update', '--resources', '-', 'id'], 'update'],
  [['/usr/sbin/runc', 'features'], 'features'],
  [['/usr/sbin/runc', '--version'], 'version'],
  [['/opt/delete', 'list'], 'other'],
]

for (const [argv, operation] of calls) {
  test(`"${argv.join(' ')}" is the operation ${operation}`, async () => {
    const { told, call } = observe(ending(0))
    await call(...argv)
    assert.deepEqual(told, [{ operation, failure: undefined }])
  })
}

test('an exit code that is not 0 is a failure, and the caller still gets it', async () => {
  const { told, call } = observe(ending(1))
  assert.equal((await call('/usr/sbin/runc', 'delete', 'id')).exitCode, 1)
  assert.deepEqual(told, [{ operation: 'delete', failure: 'internal' }])
})

test('a program that does not come back is a failure of its kind', async () => {
  const { told, call } = observe(() => Promise.reject(new RuntimeError('deadline-exceeded', 'too long')))
  await assert.rejects(call('/usr/sbin/runc', 'update'), err => isKind(err, 'deadline-exceeded'))
  assert.deepEqual(told, [{ operation: 'update', failure: 'deadline-exceeded' }])
})
