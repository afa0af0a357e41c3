import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { errnoName } from './host-errors.ts'
import { type HostCall, type HostSession, startHostSession } from './host-session.ts'
import { type Frame, fieldNumber, fieldText, frameTypes, tags } from './protocol.ts'
import { command, isAlive, nativeProgram, temporaryDirectory, waitUntil } from './testing/host-fixture.ts'

const program = nativeProgram('lighter-host')
/** JOBS_MAX in job.h. */
const jobsMax = 128

async function startSession(t: TestContext): Promise<HostSession> {
  const session = await startHostSession(program, silentLog)
  t.after(() => session.close())
  return session
}

function runCall(argv: readonly string[], more: Partial<HostCall> = {}): HostCall {
  return {
    type: frameTypes.run,
    fields: [
      ...argv.map(argument => [tags.argument, argument] as const),
      [tags.timeoutMs, 20_000],
      [tags.outputLimit, 1024],
    ],
    what: argv[0] ?? '',
    timeoutMs: 20_000,
    ...more,
  }
}

/** A request whose worker hangs: it opens a FIFO that nobody reads. */
async function hangingCall(directory: string, timeoutMs: number): Promise<HostCall> {
  const fifo = join(directory, 'fifo')
  await command('mkfifo', [fifo])
  const fields = [
    [tags.argument, '/bin/true'],
    [tags.path, join(directory, 'socket')],
    [tags.stderr, fifo],
  ] as const
  return { type: frameTypes.launch, fields, what: 'the launch', timeoutMs }
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim() === '' ? [] : text.trim().split(' ').map(Number)
}

async function onlyChildOf(pid: number): Promise<number> {
  let found: number[] = []
  await waitUntil(`a child of ${pid}`, async () => {
    found = await childrenOf(pid)
    return found.length === 1
  })
  return found[0] ?? 0
}

test('a request that hangs holds up no other, fails in time, and its late answer is ignored', async t => {
  const session = await startSession(t)
  const directory = await temporaryDirectory(t)
  const hanging = await hangingCall(directory, 200)
  const late = session.call(hanging)
  const failed = assert.rejects(
    late,
    err => isKind(err, 'deadline-exceeded') && err.message.includes('launch'),
  )
  assert.equal((await session.call(runCall(['/bin/true']))).type, frameTypes.ok)
  await failed
  const reader = await open(join(directory, 'fifo'))
  const host = await onlyChildOf(process.pid)
  await waitUntil('the late answer', async () => (await childrenOf(host)).length === 0)
  await reader.close()
  assert.equal((await session.call(runCall(['/bin/true']))).type, frameTypes.ok)
})

test('a request that hangs is killed when the session closes', async t => {
  const session = await startSession(t)
  const hanging = await hangingCall(await temporaryDirectory(t), 20_000)
  const failed = assert.rejects(session.call(hanging), err => isKind(err, 'unavailable'))
  const worker = await onlyChildOf(await onlyChildOf(process.pid))
  const launched = await onlyChildOf(worker)
  await session.close()
  await failed
  assert.deepEqual([await isAlive(worker), await isAlive(launched)], [false, false])
})

test('a worker that is killed is an error of its request only', async t => {
  const session = await startSession(t)
  const answer = session.call(await hangingCall(await temporaryDirectory(t), 20_000))
  const worker = await onlyChildOf(await onlyChildOf(process.pid))
  const launched = await onlyChildOf(worker)
  process.kill(worker, 'SIGKILL')
  const frame = await answer
  assert.equal(frame.type, frameTypes.error)
  assert.match(fieldText(frame, tags.message), /LAUNCH ended without an answer \(exit code 137\)/)
  process.kill(launched, 'SIGKILL')
  assert.equal((await session.call(runCall(['/bin/true']))).type, frameTypes.ok)
})

test('a type that is no request is answered with an error', async t => {
  const session = await startSession(t)
  for (const type of [0, frameTypes.watch, 65_535]) {
    const frame = await session.call({ type, fields: [], what: 'nothing', timeoutMs: 5000 })
    assert.equal(errnoName(frame), 'ENOSYS')
  }
})

test('one request too many is refused, the others are served', async t => {
  const session = await startSession(t)
  const caller = new AbortController()
  const calls = Array.from({ length: jobsMax + 1 }, () =>
    session.call(runCall(['/bin/sleep', '1000'], { cancelSignal: caller.signal })),
  )
  const refused = await Promise.race(calls)
  assert.equal(errnoName(refused), 'EAGAIN')
  caller.abort()
  const answers = await Promise.all(calls)
  const count = (name: string) => answers.filter((frame: Frame) => errnoName(frame) === name).length
  assert.deepEqual([count('EAGAIN'), count('ECANCELED')], [1, jobsMax])
  const again = await session.call(runCall(['/bin/sh', '-c', 'exit 9']))
  assert.equal(fieldNumber(again, tags.exitCode, 0), 9)
})

/** What the program does with these bytes on its connection. */
async function talk(bytes: Buffer): Promise<{ readonly code: unknown; readonly stderr: string }> {
  const child = spawn(program, [], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] })
  const stderr: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  const socket = child.stdio[3]
  assert.ok(socket instanceof Socket)
  socket.on('error', () => undefined)
  socket.write(bytes)
  const [code] = (await once(child, 'exit')) as [unknown]
  socket.destroy()
  return { code, stderr: Buffer.concat(stderr).toString() }
}

test('a connection that breaks the protocol ends the host', async () => {
  const tooLarge = Buffer.alloc(12)
  tooLarge.writeUInt32LE(0x7fff_ffff, 0)
  assert.deepEqual(await talk(tooLarge), {
    code: 1,
    stderr: 'lighter-host: a frame of 2147483647 bytes is too large\n',
  })
})

test('the host explains itself when a human starts it', async () => {
  const child = spawn(program, [], { stdio: ['ignore', 'ignore', 'pipe'] })
  const [text] = (await once(child.stderr, 'data')) as [Buffer]
  assert.match(text.toString(), /started by lighterd/)
  assert.deepEqual(await once(child, 'exit'), [1, null])
})
