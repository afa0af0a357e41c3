import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import { waitUntil } from '#shim/testing/host-fixture'
import type { Session } from '../model/session.ts'
import { type SessionBench, startSessionBench } from '../testing/session-bench.ts'
import { sessionOperations } from './session-operations.ts'

function attach(bench: SessionBench, hasStdin: boolean, signal?: AbortSignal): Promise<Session> {
  const { deps, ctx, record } = bench
  const sessions = sessionOperations({ containers: deps, host: deps.host, ids: deps.ids }, 'k8s.io')
  return sessions.attach({ ...ctx, signal: signal ?? ctx.signal }, { containerId: record.id, hasStdin })
}

async function textOf(session: Session): Promise<string> {
  let text = ''
  for await (const { stream, data } of session.output) text += `${stream}:${data.toString()}`
  return text
}

test('who attaches is heard, hears the container, and learns how it ends', async t => {
  const script = 'read line; echo "got $line"; echo err >&2; exit 7'
  const bench = await startSessionBench(t, { hasStdin: true, script })
  const writer = await attach(bench, true)
  const reader = await attach(bench, false)
  await reader.write(Buffer.from('not mine to write\n'))
  await writer.write(Buffer.from('hello\n'))
  for (const session of [writer, reader]) {
    const text = await textOf(session)
    assert.ok(text.includes('stdout:got hello\n') && text.includes('stderr:err\n'), text)
    assert.equal((await session.exited).exitCode, 7)
  }
})

test('leaving leaves the container alone, and standard input open unless it was for one client', async t => {
  for (const isStdinOnce of [false, true]) {
    const bench = await startSessionBench(t, { hasStdin: true, isStdinOnce, script: 'cat; echo end' })
    const caller = new AbortController()
    const session = await attach(bench, true, caller.signal)
    await session.write(Buffer.from('one\n'))
    caller.abort()
    await assert.rejects(session.exited, err => isKind(err, 'unavailable'))
    await textOf(session)
    const logged = async (): Promise<string[]> => (await bench.container.log()).map(line => line.content)
    await waitUntil('the line is logged', async () => (await logged()).includes('one'))
    if (isStdinOnce) {
      assert.equal((await bench.container.watch.ended)?.kind, 'exited')
      assert.deepEqual(await logged(), ['one', 'end'])
    } else {
      const second = await attach(bench, true)
      await second.write(Buffer.from('two\n'))
      await waitUntil('the second line is logged', async () => (await logged()).includes('two'))
      second.close()
    }
  }
})

test('the terminal of the container takes a size from who attaches', async t => {
  const bench = await startSessionBench(t, { hasTty: true, hasStdin: true, script: 'read go; stty size' })
  const session = await attach(bench, true)
  session.resize({ rows: 50, columns: 200 })
  await session.write(Buffer.from('go\n'))
  assert.match(await textOf(session), /50 200/)
})

test('input for a container that takes none goes nowhere', async t => {
  const bench = await startSessionBench(t, { script: 'cat; sleep 0.1; echo end' })
  const session = await attach(bench, true)
  await session.write(Buffer.from('lost\n'))
  session.endInput()
  assert.equal((await session.exited.then(() => bench.container.log())).at(-1)?.content, 'end')
})

test('nobody attaches to a container that does not run', async t => {
  const bench = await startSessionBench(t)
  await bench.shims.kill(bench.ctx, bench.container.spec.socketPath, 9)
  await bench.container.watch.gone
  await assert.rejects(attach(bench, false), err => isKind(err, 'failed-precondition'))
  await bench.deps.table.update(bench.record.id, record => ({ ...record, phase: 'exited' }))
  await assert.rejects(attach(bench, false), err => isKind(err, 'failed-precondition'))
})
