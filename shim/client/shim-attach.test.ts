import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import type { AttachSession } from './shim.ts'
import { waitUntil } from './testing/host-fixture.ts'
import { readUntil, startShims } from './testing/shim-fixture.ts'

const { SIGKILL } = constants.signals

async function textOf(session: AttachSession): Promise<string> {
  let text = ''
  for await (const { stream, data } of session.output) text += `${stream}:${data.toString()}`
  return text
}

test('what an attached client writes is read, what the container writes goes to all and to the log', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({ hasStdin: true, script: 'read a; echo "got $a"; echo err >&2; exit 4' })
  await container.started()
  const { socketPath } = container.spec
  const writer = await shims.attach(ctx, socketPath, { hasStdin: true })
  const reader = await shims.attach(ctx, socketPath, { hasStdin: false })
  await reader.write(Buffer.from('ignored\n'))
  await writer.write(Buffer.from('hello\n'))
  for (const session of [writer, reader]) {
    const text = await textOf(session)
    assert.ok(text.includes('stdout:got hello\n') && text.includes('stderr:err\n'), text)
    assert.equal((await session.exited).exitCode, 4)
  }
  const contents = (await container.log()).map(line => `${line.stream} ${line.content}`)
  assert.deepEqual(contents.sort(), ['stderr err', 'stdout got hello'])
})

test('a client that attaches while the container is being created loses nothing', async t => {
  const { launch, shims, ctx, directory } = await startShims(t)
  const slow = join(directory, 'slow-runtime')
  await writeFile(slow, '#!/bin/sh\ncase "$*" in *detach*) sleep 0.3;; esac\nexec /usr/sbin/runc "$@"\n')
  await chmod(slow, 0o755)
  const container = await launch({ hasStdin: true, script: 'read a; echo "got $a"', runtimePath: slow })
  const session = await shims.attach(ctx, container.spec.socketPath, { hasStdin: true })
  await session.write(Buffer.from('early\n'))
  assert.equal(await textOf(session), 'stdout:got early\n')
  assert.equal((await session.exited).exitCode, 0)
})

test('a client that is attached to a container that cannot be started is told so', async t => {
  const { launch, shims, ctx, directory } = await startShims(t)
  const failing = join(directory, 'failing-runtime')
  await writeFile(failing, '#!/bin/sh\ncase "$*" in *detach*) sleep 0.3; exit 1;; esac\n')
  await chmod(failing, 0o755)
  const container = await launch({ runtimePath: failing })
  const session = await shims.attach(ctx, container.spec.socketPath, { hasStdin: true })
  await assert.rejects(session.exited, err => isKind(err, 'unavailable') && /exit code 1/.test(err.message))
})

test('standard input ends with its only client where that was wanted, and stays open otherwise', async t => {
  const { launch, shims, ctx } = await startShims(t)
  for (const end of ['close', 'endInput'] as const) {
    const once = await launch({ hasStdin: true, isStdinOnce: true, script: 'cat; exit 8' })
    await once.started()
    const session = await shims.attach(ctx, once.spec.socketPath, { hasStdin: true })
    await session.write(Buffer.from('line\n'))
    session[end]()
    const state = await once.watch.ended
    assert.ok(state?.kind === 'exited')
    assert.equal(state.exit.exitCode, 8)
    assert.deepEqual(
      (await once.log()).map(line => line.content),
      ['line'],
    )
    session.close()
  }
  const open = await launch({ hasStdin: true, script: 'cat' })
  await open.started()
  for (const line of ['one', 'two']) {
    const session = await shims.attach(ctx, open.spec.socketPath, { hasStdin: true })
    await session.write(Buffer.from(`${line}\n`))
    await readUntil(session, line)
    session.endInput()
    session.close()
  }
  assert.deepEqual(
    (await open.log()).map(line => line.content),
    ['one', 'two'],
  )
})

test('a container without standard input has its end at once', async t => {
  const { launch } = await startShims(t)
  const container = await launch({ script: 'cat; exit 2' })
  const state = await container.watch.ended
  assert.ok(state?.kind === 'exited')
  assert.equal(state.exit.exitCode, 2)
})

test('a terminal is attached to, resized and logged as stdout', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const script = 'echo ready; read line; stty size; echo "got $line" >&2; exit 3'
  const container = await launch({ hasTty: true, hasStdin: true, script })
  await container.started()
  const { socketPath } = container.spec
  await waitUntil('the prompt', async () => (await container.log()).length > 0)
  await shims.resize(ctx, socketPath, { rows: 40, columns: 120 })
  const session = await shims.attach(ctx, socketPath, { hasStdin: true })
  await session.write(Buffer.from('hello\n'))
  assert.equal((await textOf(session)).replaceAll('stdout:', ''), 'hello\r\n40 120\r\ngot hello\r\n')
  assert.equal((await session.exited).exitCode, 3)
  assert.deepEqual(
    (await container.log()).map(({ stream, tag, content }) => `${stream} ${tag} ${content}`),
    ['stdout F ready', 'stdout F hello', 'stdout F 40 120', 'stdout F got hello'],
  )
})

test('a terminal stays usable when its processes close and open it again', async t => {
  const { launch } = await startShims(t)
  const script = 'exec </dev/null >/dev/null 2>&1; sleep 0.2; echo again >/dev/pts/0; sleep 0.1; exit 1'
  const container = await launch({ hasTty: true, script })
  const state = await container.watch.ended
  assert.ok(state?.kind === 'exited')
  assert.equal(state.exit.exitCode, 1)
  assert.deepEqual(
    (await container.log()).map(line => line.content),
    ['again'],
  )
})

test('resizing what has no terminal is refused', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  await container.started()
  const { socketPath } = container.spec
  await assert.rejects(shims.resize(ctx, socketPath, { rows: 1, columns: 1 }), err =>
    isKind(err, 'failed-precondition'),
  )
  await assert.rejects(shims.resize(ctx, socketPath, { rows: 70000, columns: 1 }), err =>
    isKind(err, 'invalid-argument'),
  )
})

test('an attached client that does not read is cut off, and the container goes on', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const script = 'while [ ! -e /tmp/go ]; do sleep 0.02; done; seq 1 200000; echo end; sleep 1000'
  const container = await launch({ script })
  await container.started()
  const idle = await shims.attach(ctx, container.spec.socketPath, { hasStdin: false })
  const go = await container.exec('echo > /tmp/go')
  const began = Date.now()
  await go.exited
  await waitUntilLogged(container, 'end')
  const took = Date.now() - began
  assert.ok(took > 5_000 && took < 20_000, `${took} ms`)
  for await (const { data } of idle.output) assert.ok(data.length > 0)
  await assert.rejects(idle.exited, err => isKind(err, 'unavailable'))
  assert.equal(await shims.kill(ctx, container.spec.socketPath, SIGKILL), true)
})

async function waitUntilLogged(
  container: { log(): Promise<readonly { readonly content: string }[]> },
  content: string,
): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      await waitUntil(content, async () => (await container.log()).at(-1)?.content === content)
      return
    } catch {
      // the limit of one wait is shorter than the one that is being tested
    }
  }
  throw new Error(`"${content}" never came`)
}
