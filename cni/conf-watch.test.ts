import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createClock } from '#base/clock'
import { silentLog } from '#base/log'
import { readConfDirectory } from './conf-directory.ts'
import { type ConfWatch, createConfWatch } from './conf-watch.ts'
import { cniLimits } from './limits.ts'
import { type Cleanup, cleanup, eventually, testDirectory } from './testing/test-network.ts'

const run = promisify(execFile)

function conf(name: string): string {
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins: [{ type: 'bridge' }] })
}

async function watching(t: Cleanup, confDir: string): Promise<ConfWatch> {
  const watch = createConfWatch({ confDir, clock: createClock(), log: silentLog, onChange: () => undefined })
  t.after(() => watch.stop())
  await watch.start()
  return watch
}

async function becomes(watch: ConfWatch, name: string | undefined): Promise<void> {
  await eventually(`the conf list is ${name ?? 'gone'}`, () => watch.current().list?.name === name)
}

test('the first valid file by name wins, and the problem of an earlier one is kept', async test => {
  const directory = await testDirectory(cleanup(test))
  await writeFile(join(directory, '10-broken.conflist'), '{')
  await writeFile(join(directory, '20-good.conf'), JSON.stringify({ name: 'good', type: 'bridge' }))
  await writeFile(join(directory, '15-not-a-conf.txt'), conf('text'))
  await writeFile(join(directory, '30-late.conflist'), conf('late'))
  const { list, problem, skipped } = await readConfDirectory(directory)
  assert.deepEqual([list?.name, problem], ['good', ''])
  assert.deepEqual(skipped, [`CNI conf file ${directory}/10-broken.conflist: not JSON`])
})

test('what is no readable regular file is passed over without waiting', async test => {
  const directory = await testDirectory(cleanup(test))
  await run('mkfifo', [join(directory, '1.conflist')])
  await mkdir(join(directory, '2.conflist'))
  await symlink('/nowhere', join(directory, '3.conflist'))
  await writeFile(join(directory, '4.conflist'), '')
  await truncate(join(directory, '4.conflist'), cniLimits.confFileBytes + 1)
  await symlink(join(directory, 'target'), join(directory, '5.conflist'))
  await writeFile(join(directory, 'target'), conf('linked'))
  const { list, skipped } = await readConfDirectory(directory)
  assert.equal(list?.name, 'linked')
  const reasons = [
    /1\.conflist is no regular file/,
    /2\.conflist is no reg/,
    /3\.conflist .*ENOENT/,
    /is larger than/,
  ]
  assert.equal(skipped.length, reasons.length)
  for (const [index, reason] of reasons.entries()) assert.match(skipped[index] ?? '', reason)
})

const problems: readonly { readonly name: string; readonly files: object; readonly problem: RegExp }[] = [
  { name: 'an empty directory', files: {}, problem: /no CNI conf list .* in .*: install a network plugin/ },
  {
    name: 'a broken file',
    files: { '1.conflist': '{}' },
    problem: /no valid CNI conf list in .*1\.conflist: "name"/,
  },
]

for (const { name, files, problem } of problems) {
  test(`${name} is a problem that says what to do`, async test => {
    const directory = await testDirectory(cleanup(test))
    for (const [file, text] of Object.entries(files)) await writeFile(join(directory, file), String(text))
    const state = await readConfDirectory(directory)
    assert.equal(state.list, undefined)
    assert.match(state.problem, problem)
  })
}

test('a directory that does not exist yet is found when it appears, with its parents', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const confDir = join(directory, 'etc', 'cni', 'net.d')
  const watch = await watching(t, confDir)
  assert.match(watch.current().problem, /net\.d does not exist/)
  await mkdir(confDir, { recursive: true })
  await eventually('the directory is seen', () => watch.current().problem.startsWith('no CNI conf list'))
  await writeFile(join(confDir, '1.conflist'), conf('first'))
  await becomes(watch, 'first')
})

test('changed, added, renamed and removed files are seen', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const watch = await watching(t, directory)
  await writeFile(join(directory, '5.conflist'), conf('five'))
  await becomes(watch, 'five')
  await writeFile(join(directory, '5.conflist'), conf('changed'))
  await becomes(watch, 'changed')
  await writeFile(join(directory, '.tmp'), conf('moved'))
  await rename(join(directory, '.tmp'), join(directory, '1.conflist'))
  await becomes(watch, 'moved')
  await rm(join(directory, '1.conflist'))
  await becomes(watch, 'changed')
  await rm(join(directory, '5.conflist'))
  await becomes(watch, undefined)
})

test('a directory that is removed, made again, replaced or swapped behind a link is followed', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const confDir = join(directory, 'net.d')
  const put = async (path: string, name: string) => {
    await mkdir(path)
    await writeFile(join(path, '1.conflist'), conf(name))
  }
  await put(confDir, 'one')
  const watch = await watching(t, confDir)
  assert.equal(watch.current().list?.name, 'one')
  await rm(confDir, { recursive: true })
  await becomes(watch, undefined)
  await put(confDir, 'two')
  await becomes(watch, 'two')
  await put(join(directory, 'new'), 'three')
  await rename(confDir, join(directory, 'old'))
  await rename(join(directory, 'new'), confDir)
  await becomes(watch, 'three')
  for (const name of ['four', 'again-four', 'still-four']) {
    await writeFile(join(confDir, '1.conflist'), conf(name))
    await becomes(watch, name)
  }
  await rm(confDir, { recursive: true })
  await put(join(directory, 'target'), 'five')
  await symlink(join(directory, 'target'), confDir)
  await becomes(watch, 'five')
  await writeFile(join(directory, 'target', '1.conflist'), conf('six'))
  await becomes(watch, 'six')
})

test('a directory that goes with the one above it is missed', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const confDir = join(directory, 'cni', 'net.d')
  await mkdir(confDir, { recursive: true })
  await writeFile(join(confDir, '1.conflist'), conf('one'))
  const watch = await watching(t, confDir)
  assert.equal(watch.current().list?.name, 'one')
  await rename(join(directory, 'cni'), join(directory, 'old'))
  await becomes(watch, undefined)
  await rename(join(directory, 'old'), join(directory, 'cni'))
  await becomes(watch, 'one')
})

test('the state stays the same object while nothing changes', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await writeFile(join(directory, '1.conflist'), conf('one'))
  const watch = await watching(t, directory)
  const before = watch.current()
  await watch.reload()
  assert.equal(watch.current(), before)
})
