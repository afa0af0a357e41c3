import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { eventually } from '../harness/eventually.ts'
import { crictlPath } from '../harness/paths.ts'
import { type ProgramOutcome, runProgram } from '../harness/program.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()
const skip = await whyNoCrictl()
const transports = ['spdy', 'websocket'] as const
const mebibyte = 1024 * 1024

/** crictl with its standard input, which ends. */
async function crictl(s: Story, args: readonly string[], input = ''): Promise<ProgramOutcome> {
  await createCrictl(s.scratch)
  return runProgram([crictlPath, '--config', join(s.scratch.dir, 'crictl.yaml'), ...args], { input })
}

/** crictl that goes on until the test ends it. */
async function spawnCrictl(s: Story, t: TestContext, args: readonly string[]): Promise<ChildProcess> {
  await createCrictl(s.scratch)
  const child = spawn(crictlPath, ['--config', join(s.scratch.dir, 'crictl.yaml'), ...args], {
    stdio: 'pipe',
  })
  t.after(() => child.kill('SIGKILL'))
  return child
}

function collect(child: ChildProcess): () => string {
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return () => text
}

async function processesOf(s: Story, id: string): Promise<string> {
  return s.exec(id, 'ps', '-o', 'args')
}

async function procOf(s: Story, name: string): Promise<string> {
  return readFile(`/proc/${String(s.daemon.pid())}/${name}`, 'utf8')
}

async function residentBytes(s: Story): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await procOf(s, 'status'))?.[1]) * 1024
}

/** Waits until the daemon has used no CPU time for a while. */
async function rests(s: Story): Promise<void> {
  const ticks = async () => (await procOf(s, 'stat')).split(' ').slice(13, 15).join()
  let [last, equal] = ['', 0]
  await eventually('the daemon rests', async () => {
    const now = await ticks()
    equal = now === last ? equal + 1 : 0
    last = now
    return equal >= 12
  })
}

for (const transport of transports) {
  test(
    `${transport}: a command in a container has both outputs, an input that ends, and an exit code`,
    { skip },
    story(async s => {
      const id = await s.run(await s.runPod())
      const script = 'cat; echo oops >&2; exit 7'
      const exec = await crictl(s, ['exec', '-r', transport, '-i', id, 'sh', '-c', script], 'some input\n')
      assert.equal(exec.stdout, 'some input\n')
      assert.match(exec.stderr, /oops/)
      assert.match(exec.stderr, /exit code 7/)
      assert.notEqual(exec.exitCode, 0)
    }),
  )

  test(
    `${transport}: 32 MiB go in and out and are the same`,
    { skip },
    story(async (s, t) => {
      const id = await s.run(await s.runPod())
      const child = await spawnCrictl(s, t, ['exec', '-r', transport, '-i', id, 'cat'])
      const [sent, received] = [createHash('sha256'), createHash('sha256')]
      let bytes = 0
      child.stdout?.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        received.update(chunk)
      })
      for (let count = 0; count < 32; count++) {
        const chunk = Buffer.alloc(mebibyte, count + 1)
        sent.update(chunk)
        if (child.stdin?.write(chunk) === false) await once(child.stdin, 'drain')
      }
      child.stdin?.end()
      await once(child, 'close')
      assert.equal(bytes, 32 * mebibyte)
      assert.equal(received.digest('hex'), sent.digest('hex'))
    }),
  )

  test(
    `${transport}: a client that is killed takes its command with it`,
    { skip },
    story(async (s, t) => {
      const id = await s.run(await s.runPod())
      const child = await spawnCrictl(s, t, [
        'exec',
        '-r',
        transport,
        '-i',
        id,
        'sh',
        '-c',
        'echo up; sleep 4711',
      ])
      const output = collect(child)
      await eventually('the command runs', () => output().includes('up'))
      child.kill('SIGKILL')
      await eventually('the command is gone', async () => !(await processesOf(s, id)).includes('sleep 4711'))
    }),
  )

  test(
    `${transport}: whoever attaches hears the container, and speaks to it`,
    { skip },
    story(async (s, t) => {
      const shell = 'while read line; do echo "heard $line"; done; sleep 1000'
      const id = await s.run(await s.runPod(), { shell, stdin: true })
      const child = await spawnCrictl(s, t, ['attach', '-r', transport, '-i', id])
      const output = collect(child)
      child.stdin?.write('one\n')
      await eventually('the container answers', () => output() === 'heard one\n')
      child.kill('SIGKILL')
      await once(child, 'close')
      const again = await spawnCrictl(s, t, ['attach', '-r', transport, '-i', id])
      const more = collect(again)
      again.stdin?.write('two\n')
      await eventually('the container answers again', () => more() === 'heard two\n')
    }),
  )
}

test(
  'a client that does not read holds its command back, and the daemon stays small',
  { skip },
  story(async (s, t) => {
    const id = await s.run(await s.runPod())
    const child = await spawnCrictl(s, t, [
      'exec',
      id,
      'sh',
      '-c',
      'yes 0123456789abcdef | head -c 200000000',
    ])
    let bytes = 0
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
    }
    child.stdout?.on('data', onData)
    await eventually('output flows', () => bytes > mebibyte)
    child.kill('SIGSTOP')
    const before = await residentBytes(s)
    await rests(s)
    const grown = (await residentBytes(s)) - before
    assert.ok(grown < 32 * mebibyte, `the daemon has grown by ${String(grown)} bytes`)
    child.kill('SIGCONT')
    await once(child, 'close')
    assert.equal(bytes, 200_000_000)
  }),
)

test(
  'the daemon stops: its clients hear it at once, and no command stays',
  { skip },
  story(async (s, t) => {
    const id = await s.run(await s.runPod())
    const child = await spawnCrictl(s, t, ['exec', '-i', id, 'sh', '-c', 'echo up; sleep 4712'])
    const output = collect(child)
    let errors = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString()
    })
    await eventually('the command runs', () => output().includes('up'))
    const closed = once(child, 'close')
    await s.daemon.stop()
    await closed
    assert.match(errors, /lighterd is stopping/)
    await s.daemon.start()
    assert.doesNotMatch(await processesOf(s, id), /sleep 4712/)
  }),
)
