import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pathExists } from '#base/files'
import { webPage } from './busybox-image.ts'
import { waitForPage } from './http-page.ts'

const program = join(import.meta.dirname, 'demo.js')
const limits = { stepMs: 60_000, pollMs: 20 } as const

// Short: socket paths hold 107 bytes.
const base = await mkdtemp('/tmp/ldemo-')

after(() => rm(base, { recursive: true, force: true }))

interface Demo {
  readonly child: ChildProcess
  output(): string
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
}

function run(name: string, flags: readonly string[] = []): Demo {
  const places = ['--root', join(base, `${name}-data`), '--state', join(base, name)]
  const child = spawn(process.execPath, [program, ...places, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  return { child, output: () => output, ended }
}

async function eventually(demo: Demo, pattern: RegExp): Promise<RegExpExecArray> {
  const deadline = performance.now() + limits.stepMs
  for (;;) {
    const found = pattern.exec(demo.output())
    if (found) return found
    const isOver = demo.child.exitCode !== null || performance.now() > deadline
    assert.ok(!isOver, `the demo never said ${String(pattern)}:\n${demo.output()}`)
    await delay(limits.pollMs)
  }
}

/** Neither files of the demo, nor mounts, nor processes, nor its network. */
async function assertNothingLeft(name: string): Promise<void> {
  const state = join(base, name)
  assert.equal(await pathExists(`${state}-demo`), false)
  assert.deepEqual(await readdir(join(state, 'pods')), [])
  assert.deepEqual(await readdir(join(state, 'shims')), [])
  const mounts = await readFile('/proc/self/mountinfo', 'utf8')
  assert.deepEqual(
    mounts.split('\n').filter(line => line.includes(state)),
    [],
  )
  assert.deepEqual(await commandsWith(state), [])
  const hasOwnNetwork = !(await pathExists('/etc/cni/net.d'))
  if (hasOwnNetwork) assert.equal(await pathExists('/sys/class/net/lighter0'), false)
}

async function commandsWith(text: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const commands = await Promise.all(
    pids.map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return commands.filter(command => command.includes(text))
}

test('once: runs a pod, sees its page, takes everything down', async () => {
  const demo = run('once', ['--once'])
  assert.equal(await demo.ended, 0, demo.output())
  assert.match(demo.output(), /curl http:\/\/[\d.]+\//)
  await assertNothingLeft('once')
})

test('stays until it is interrupted; a second one does not disturb it', async () => {
  const demo = run('stay')
  try {
    const [, url] = await eventually(demo, /curl (http:\/\/[\d.]+\/)[^]*Ctrl-C/)
    assert.equal(await waitForPage(url ?? ''), webPage)
    const second = run('stay', ['--once'])
    assert.equal(await second.ended, 1)
    assert.match(second.output(), /a daemon answers on .*lighter\.sock already: stop it first/)
    assert.equal(await pathExists(join(base, 'stay-demo', 'certs.d')), true)
    assert.equal(await waitForPage(url ?? ''), webPage)
  } finally {
    demo.child.kill('SIGINT')
  }
  assert.equal(await demo.ended, 0, demo.output())
  await assertNothingLeft('stay')
})

test('interrupted while it starts: takes down what there is', async () => {
  const demo = run('early')
  await eventually(demo, /is served on/)
  demo.child.kill('SIGTERM')
  assert.equal(await demo.ended, 0, demo.output())
  assert.doesNotMatch(demo.output(), /curl/)
  await assertNothingLeft('early')
})

test('a daemon that cannot start is an error with its own words', async () => {
  const demo = run('a-state-directory-whose-name-is-too-long-for-any-socket', ['--once'])
  assert.equal(await demo.ended, 1)
  assert.match(demo.output(), /demo: lighterd ended with exit code \d:\n.*longer than 40 bytes/)
})

test('an unknown option is refused with the usage', async () => {
  const demo = run('flags', ['--twice'])
  assert.equal(await demo.ended, 1)
  assert.match(demo.output(), /--twice[^]*usage: npm start/)
  assert.equal(await pathExists(join(base, 'flags')), false)
})
