import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readlink, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { detectCgroups } from '../host/cgroups.ts'
import { createTextFiles } from './text-files.ts'

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-text-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** What this process has open below a directory. */
async function openBelow(directory: string): Promise<number> {
  const fds = await readdir('/proc/self/fd')
  const targets = await Promise.all(fds.map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return targets.filter(target => target.startsWith(directory)).length
}

/** Closing is asynchronous. */
async function untilClosed(directory: string): Promise<void> {
  for (let look = 0; look < 500 && (await openBelow(directory)) > 0; look++) {
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.equal(await openBelow(directory), 0)
}

test('a kept file is opened once, and shows what is written later', async t => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'a')
  await writeFile(path, 'one\n')
  const kept = createTextFiles().keep()
  assert.equal(await kept.read(path), 'one\n')
  await writeFile(path, 'two\n')
  assert.equal(await kept.read(path), 'two\n')
  assert.equal(await openBelow(directory), 1)
  kept.close()
  await untilClosed(directory)
})

test('a file that is not there is empty, and found when it comes', async t => {
  const path = join(await temporaryDirectory(t), 'a')
  const files = createTextFiles()
  const kept = files.keep()
  t.after(() => {
    kept.close()
  })
  assert.equal(await files.read(path), '')
  assert.equal(await kept.read(path), '')
  await writeFile(path, 'here')
  assert.equal(await kept.read(path), 'here')
})

test('long files are read to their end', async t => {
  const path = join(await temporaryDirectory(t), 'a')
  const text = `${'0123456789'.repeat(5000)}\n`
  await writeFile(path, text)
  assert.equal(await createTextFiles().read(path), text)
})

test('what is read while the files are closed is read to its end, and nothing stays open', async t => {
  const directory = await temporaryDirectory(t)
  const names = ['a', 'b', 'c']
  for (const name of names) await writeFile(join(directory, name), name)
  const kept = createTextFiles().keep()
  const reading = Promise.all(names.map(name => kept.read(join(directory, name))))
  kept.close()
  assert.deepEqual(await reading, names)
  assert.equal(await kept.read(join(directory, 'a')), 'a')
  await untilClosed(directory)
})

test('no more files are kept than a quarter of what the daemon may have open', async t => {
  const directory = await temporaryDirectory(t)
  const limits = join(directory, 'limits')
  await writeFile(limits, 'Max open files            8                    4096                 files\n')
  const files = createTextFiles(limits)
  const [one, two] = [files.keep(), files.keep()]
  const names = ['a', 'b', 'c']
  for (const name of names) await writeFile(join(directory, name), name)
  for (const name of names) assert.equal(await one.read(join(directory, name)), name)
  assert.equal(await openBelow(directory), 2)
  assert.equal(await two.read(join(directory, 'c')), 'c')
  one.close()
  await untilClosed(directory)
  for (const name of names) await two.read(join(directory, name))
  assert.equal(await openBelow(directory), 2)
  two.close()
})

test('a cgroup can be removed while its files are kept, and reads as empty then', async t => {
  const layout = await detectCgroups({ driver: 'cgroupfs' })
  const root = layout.controllers.pids ?? layout.unified ?? ''
  const cgroup = join(root, `lighter-text-${process.pid}`)
  await mkdir(cgroup)
  t.after(() => rmdir(cgroup).catch(() => undefined))
  const kept = createTextFiles().keep()
  assert.equal(await kept.read(join(cgroup, 'pids.max')), 'max\n')
  await rmdir(cgroup)
  assert.equal(await kept.read(join(cgroup, 'pids.max')), '')
  assert.equal(await openBelow(cgroup), 0)
  kept.close()
})

test('a directory is an error', async t => {
  const directory = await temporaryDirectory(t)
  await assert.rejects(createTextFiles().read(directory), err => isKind(err, 'internal'))
})
