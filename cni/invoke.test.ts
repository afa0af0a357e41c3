import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ErrorKind, isKind, RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import { createInvoke, type Invocation, validateAttachment } from './invoke.ts'
import { createChildPrograms } from './testing/child-programs.ts'
import { calls, failing, installPlugin, printing } from './testing/fake-plugin.ts'
import { cleanup, eventually, testAttachment, testCtx, testDirectory } from './testing/test-network.ts'

function invokeWith(directory: string, pluginTimeoutMs = 10_000): ReturnType<typeof createInvoke> {
  const binDirs = [join(directory, 'bin'), '/other/bin']
  return createInvoke({ binDirs, programs: createChildPrograms(), pluginTimeoutMs })
}

function invocation(directory: string, changes: Partial<Invocation> = {}): Invocation {
  return {
    path: join(directory, 'bin', 'fake'),
    subject: 'CNI plugin "fake"',
    command: 'ADD',
    stdin: '{"name":"test"}',
    attachment: testAttachment({ containerId: 'c1', netnsPath: '/run/netns/x' }),
    ...changes,
  }
}

test('a plugin gets the parameters of the spec and nothing of the daemon', async test => {
  const directory = await testDirectory(cleanup(test))
  await installPlugin(directory, 'fake')
  await invokeWith(directory)(testCtx, invocation(directory))
  const [call] = await calls(directory)
  assert.deepEqual(call?.request, { name: 'test' })
  assert.ok(call.env['PATH']?.includes('/usr/sbin'))
  // PWD is the shell's own, the last line of env is empty, and node adds the last one when it measures coverage.
  const foreign = Object.entries(call.env).filter(
    ([key]) => !['PATH', 'PWD', '', 'NODE_V8_COVERAGE'].includes(key),
  )
  assert.deepEqual(Object.fromEntries(foreign), {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/run/netns/x',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web',
    CNI_PATH: `${directory}/bin:/other/bin`,
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const failures: readonly {
  readonly name: string
  readonly script: string
  readonly kind: ErrorKind
  readonly message: RegExp
}[] = [
  {
    name: 'an error object',
    script: failing({ code: 100, msg: 'no bridge', details: 'EPERM' }),
    kind: 'internal',
    message: /^CNI plugin "fake", ADD: no bridge; EPERM$/,
  },
  {
    name: 'try again later',
    script: failing({ code: 11, msg: 'busy' }),
    kind: 'unavailable',
    message: /busy/,
  },
  {
    name: 'invalid configuration',
    script: failing({ code: 7, msg: 'bad', details: 7 }),
    kind: 'failed-precondition',
    message: /: bad$/,
  },
  {
    name: 'an error object with a code only',
    script: failing({ code: 99 }),
    kind: 'internal',
    message: /error code 99/,
  },
  {
    name: 'garbage',
    script: failing('{{{{ not json \u0001\u001b[31m red'),
    kind: 'internal',
    message: /exit code 1: \{\{\{\{ not json \[31m red$/,
  },
  {
    name: 'words on stderr',
    script: 'echo "cannot open /dev/net/tun" >&2; exit 3',
    kind: 'internal',
    message: /exit code 3: cannot open \/dev\/net\/tun$/,
  },
  {
    name: 'exit 127 and silence',
    script: 'exit 127',
    kind: 'internal',
    message: /exit code 127: it printed nothing/,
  },
  { name: 'a signal', script: 'kill -SEGV $$', kind: 'internal', message: /exit code 139/ },
  {
    name: 'a message without end',
    script: `printf '{"code":5,"msg":"'; head -c 500000 /dev/zero | tr '\\0' x; echo '"}'; exit 1`,
    kind: 'internal',
    message: /^.{1000,1100}…$/,
  },
  {
    name: 'output without end',
    script: 'head -c 3000000 /dev/zero; exit 0',
    kind: 'internal',
    message: /it printed 1048576 bytes or more/,
  },
]

for (const { name, script, kind, message } of failures) {
  test(`a plugin that ends with ${name} is one ${kind} error`, async test => {
    const directory = await testDirectory(cleanup(test))
    await installPlugin(directory, 'fake', { ADD: script })
    await assert.rejects(invokeWith(directory)(testCtx, invocation(directory)), (err: unknown) => {
      assert.ok(err instanceof RuntimeError)
      assert.match(err.message, message)
      assert.equal(err.kind, kind)
      return true
    })
  })
}

test('a plugin that hangs is deadline-exceeded at the time-out, with its children killed', async test => {
  const directory = await testDirectory(cleanup(test))
  await installPlugin(directory, 'fake', { ADD: 'sleep 1000 & echo $! > $0.pid; wait' })
  const startedAt = Date.now()
  await assert.rejects(invokeWith(directory, 300)(testCtx, invocation(directory)), err =>
    isKind(err, 'deadline-exceeded'),
  )
  assert.ok(Date.now() - startedAt < 5_000)
  const pid = Number(await readFile(join(directory, 'bin', 'fake.pid'), 'utf8'))
  await eventually('the child of the plugin is killed', () => !isAlive(pid))
})

test('a caller that goes away ends a plugin that only looks, at once', async test => {
  const directory = await testDirectory(cleanup(test))
  await installPlugin(directory, 'fake', { STATUS: 'sleep 1000' })
  const gone = new AbortController()
  const ctx = { ...testCtx, signal: gone.signal }
  const running = invokeWith(directory)(ctx, invocation(directory, { command: 'STATUS' }))
  gone.abort()
  await assert.rejects(running, err => isKind(err, 'cancelled'))
})

test('a caller that goes away does not end a plugin that changes something', async test => {
  const directory = await testDirectory(cleanup(test))
  await installPlugin(directory, 'fake', { DEL: 'sleep 0.3\necho finished' })
  const gone = new AbortController()
  const ctx = { ...testCtx, signal: gone.signal }
  const running = invokeWith(directory)(ctx, invocation(directory, { command: 'DEL' }))
  gone.abort()
  assert.equal(await running, 'finished\n')
  await assert.rejects(invokeWith(directory)(ctx, invocation(directory)), err => isKind(err, 'cancelled'))
})

test('a binary that cannot be executed is not-found', async test => {
  const directory = await testDirectory(cleanup(test))
  const path = join(directory, 'absent')
  await assert.rejects(invokeWith(directory)(testCtx, invocation(directory, { path })), err => {
    return isKind(err, 'not-found') && err.message.startsWith('CNI plugin "fake", ADD: ')
  })
})

test('stderr of a plugin that succeeds goes to the log', async test => {
  const directory = await testDirectory(cleanup(test))
  await installPlugin(directory, 'fake', {
    ADD: `echo "a warning" >&2; ${printing({ cniVersion: '1.0.0' })}`,
  })
  const lines: unknown[] = []
  const log = { ...silentLog, debug: (fields: object) => void lines.push(fields) }
  const stdout = await invokeWith(directory)({ ...testCtx, log }, invocation(directory))
  assert.equal(stdout, '{"cniVersion":"1.0.0"}\n')
  assert.deepEqual(lines, [{ plugin: join(directory, 'bin', 'fake'), stderr: 'a warning' }])
})

const badAttachments = [
  { containerId: '' },
  { containerId: '../../etc/passwd' },
  { containerId: 'x'.repeat(129) },
  { netnsPath: '/run/netns/a\nCNI_COMMAND=DEL' },
  { args: { K8S_POD_NAME: 'web;K8S_POD_NAMESPACE=kube-system' } },
  { args: { 'A=B': 'c' } },
  { args: { K8S_POD_NAME: 'x'.repeat(5000) } },
]

for (const bad of badAttachments) {
  test(`an attachment with ${JSON.stringify(bad).slice(0, 60)} is an invalid argument`, () => {
    assert.throws(
      () => {
        validateAttachment(testAttachment(bad))
      },
      err => isKind(err, 'invalid-argument'),
    )
  })
}
