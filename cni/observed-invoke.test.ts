import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import { type Invocation, observedInvoke } from './invoke.ts'
import type { PluginRun } from './network.ts'
import { testCtx } from './testing/test-network.ts'

const invocation: Invocation = {
  path: '/opt/cni/bin/bridge',
  subject: 'CNI plugin "bridge"',
  command: 'ADD',
  stdin: '{}',
}

test('each run of a plugin is told with the name of its file, its command and its end', async () => {
  const told: PluginRun[] = []
  const listen = (run: PluginRun) => {
    told.push(run)
  }
  assert.equal(await observedInvoke(() => Promise.resolve('{}'), listen)(testCtx, invocation), '{}')
  const failing = observedInvoke(() => Promise.reject(new RuntimeError('deadline-exceeded', 'slow')), listen)
  await assert.rejects(failing(testCtx, { ...invocation, command: 'DEL' }), err =>
    isKind(err, 'deadline-exceeded'),
  )
  assert.deepEqual(
    told.map(({ plugin, command, failure }) => ({ plugin, command, failure })),
    [
      { plugin: 'bridge', command: 'ADD', failure: undefined },
      { plugin: 'bridge', command: 'DEL', failure: 'deadline-exceeded' },
    ],
  )
})
