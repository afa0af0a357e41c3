import assert from 'node:assert/strict'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { readExitFile } from './exit-file.ts'
import { command, waitUntil } from './testing/host-fixture.ts'
import { startShims, type TestContainer } from './testing/shim-fixture.ts'

async function exited(container: TestContainer): Promise<void> {
  assert.equal((await container.watch.ended)?.kind, 'exited')
}

test('long lines, empty lines and a rest without a newline come out as the format wants', async t => {
  const { launch } = await startShims(t)
  const script = "head -c 40000 /dev/zero | tr '\\0' a; echo; echo; printf 'b\\r\\nrest'"
  const container = await launch({ script })
  await exited(container)
  assert.deepEqual(
    (await container.log()).map(({ tag, content }) => [tag, content.length, content.slice(0, 4)]),
    [
      ['P', 16384, 'aaaa'],
      ['P', 16384, 'aaaa'],
      ['F', 40000 - 2 * 16384, 'aaaa'],
      ['F', 0, ''],
      ['F', 1, 'b'],
      ['P', 4, 'rest'],
    ],
  )
})

test('without a log path output is read and dropped', async t => {
  const { launch } = await startShims(t)
  const container = await launch({ hasLog: false, script: 'seq 1 100000; exit 3' })
  const state = await container.watch.ended
  assert.ok(state?.kind === 'exited')
  assert.equal(state.exit.exitCode, 3)
  await assert.rejects(container.log())
})

test('no line is lost or doubled while the log is rotated under load', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const last = 300_000
  const container = await launch({ script: `seq 1 ${last}` })
  await container.started()
  const rotated: string[] = []
  for (let number = 0; number < 20; number++) {
    const path = `${container.logPath}.${number}`
    await rename(container.logPath, path)
    rotated.push(path)
    try {
      await shims.reopenLog(ctx, container.spec.socketPath)
    } catch (err) {
      assert.ok(isKind(err, 'not-found') || isKind(err, 'unavailable'), String(err)) // it is through
      break
    }
  }
  await exited(container)
  const paths = [...rotated, container.logPath]
  const texts = await Promise.all(paths.map(path => readFile(path, 'utf8').catch(() => '')))
  assert.ok(texts.filter(text => text !== '').length > 1, 'it was rotated while it was written')
  const numbers = texts
    .join('')
    .split('\n')
    .slice(0, -1)
    .map(line => Number(line.split(' ')[3]))
  assert.equal(numbers.length, last)
  assert.ok(numbers.every((number, index) => number === index + 1))
})

test('a log that cannot be opened again is an error, and the old one goes on', async t => {
  const { launch, shims, ctx, directory } = await startShims(t)
  const container = await launch({ script: 'while :; do echo line; sleep 0.02; done' })
  await container.started()
  const aside = `${container.logPath}.1`
  await rename(container.logPath, aside)
  await symlink(join(directory, 'elsewhere'), container.logPath)
  await assert.rejects(
    shims.reopenLog(ctx, container.spec.socketPath),
    err => isKind(err, 'internal') && /cannot open log file/.test(err.message),
  )
  const before = (await readFile(aside, 'utf8')).length
  await waitUntil('more in the old log', async () => (await readFile(aside, 'utf8')).length > before)
  await rm(container.logPath)
  await shims.reopenLog(ctx, container.spec.socketPath)
  await waitUntil('lines in the new log', async () => (await container.log()).length > 1)
})

test('a full disk costs lines but not the container, and the log says how much was lost', async t => {
  const { launch, shims, ctx, directory } = await startShims(t)
  const { small, filler } = await mountSmall(directory)
  const script = 'seq 1 20000; echo full > /tmp/full; read x; echo after; read x'
  const container = await launch({ script, hasStdin: true, logPath: join(small, 'log') })
  await container.started()
  const full = await container.exec('while [ ! -e /tmp/full ]; do sleep 0.02; done')
  assert.equal((await full.exited).exitCode, 0)
  const before = await readFile(container.logPath, 'utf8')
  assert.doesNotMatch(before, / 20000\n/)
  await rm(filler)
  const session = await shims.attach(ctx, container.spec.socketPath, { hasStdin: true })
  await session.write(Buffer.from('\n'))
  await waitUntil('the line after', async () =>
    (await readFile(container.logPath, 'utf8')).endsWith('after\n'),
  )
  const text = await readFile(container.logPath, 'utf8')
  const loss = /^\S+ stderr F lighter: lost (\d+) bytes of log here: No space left on device$/m.exec(text)
  assert.ok(loss, text.slice(-300))
  const lineBytes = '2006-01-02T15:04:05.999999999Z stdout F '.length + 1
  const all = Array.from({ length: 20000 }, (_, i) => lineBytes + String(i + 1).length)
  const written = before.length
  assert.equal(Number(loss[1]), all.reduce((sum, size) => sum + size, 0) - written)
  session.close()
})

test('an exit file that does not fit on a full disk is written when there is room', async t => {
  const { launch, directory } = await startShims(t)
  const { small, filler } = await mountSmall(directory)
  const container = await launch({ script: 'sleep 0.3; exit 3', exitPath: join(small, 'exit') })
  await command('sh', ['-c', `cat /dev/zero > ${filler} 2>/dev/null || true`])
  const state = await container.watch.ended
  assert.ok(state?.kind === 'exited')
  assert.equal(await readExitFile(container.spec.exitPath), undefined)
  await rm(filler)
  await waitUntil('the exit file', async () => (await readExitFile(container.spec.exitPath)) !== undefined)
  assert.deepEqual(await readExitFile(container.spec.exitPath), state)
})

/** A file system of 256 KiB, half filled by one file; it goes with the directory of the test. */
async function mountSmall(directory: string): Promise<{ small: string; filler: string }> {
  const small = join(directory, 'small')
  await mkdir(small)
  await command('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small])
  const filler = join(small, 'filler')
  await writeFile(filler, Buffer.alloc(128 * 1024))
  return { small, filler }
}
