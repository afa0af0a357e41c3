import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { lighterdPath, lighterPath } from '../harness/paths.ts'
import { mustRun, type ProgramOutcome, runProgram } from '../harness/program.ts'

let dir = ''
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lt-config-'))
})
after(() => rm(dir, { recursive: true, force: true }))

/** What `lighter config` says about a configuration file with this text. */
async function configured(text: string): Promise<ProgramOutcome & { readonly file: string }> {
  const file = join(dir, 'config.yaml')
  await writeFile(file, text)
  return { ...(await runProgram([lighterPath, 'config', '--config', file])), file }
}

test('lighter config --default prints a configuration that loads and says the same', async () => {
  const printed = await mustRun([lighterPath, 'config', '--default'])
  assert.match(printed, /^#/m)
  const { exitCode, stdout, stderr } = await configured(printed)
  assert.equal(exitCode, 0, stderr)
  const empty = await configured('')
  assert.equal(stdout, empty.stdout)
})

test('a set key shows in the effective configuration, and a later file of config.d overrides it', async () => {
  const first = await configured('root: /srv/one\n')
  assert.match(first.stdout, /^root: \/srv\/one$/m)
  const extra = join(dir, 'config.d')
  await mkdir(extra, { recursive: true })
  await writeFile(join(extra, '10-root.yaml'), 'root: /srv/two\n')
  assert.match((await configured('root: /srv/one\n')).stdout, /^root: \/srv\/two$/m)
  await rm(extra, { recursive: true })
})

for (const { what, text, wanted } of [
  {
    what: 'an unknown key',
    text: '# one\nroot: /srv\nstat: /run/x\n',
    wanted: [/:3/, /"?stat"?/, /"?state"?/],
  },
  {
    what: 'an unknown key inside',
    text: 'cni:\n  confDirs: /x\n',
    wanted: [/:2/, /cni\.confDirs/, /confDir\b/],
  },
  { what: 'a wrong type', text: 'root: /srv\ncni:\n  binDirs: 7\n', wanted: [/:3/, /cni\.binDirs/] },
  { what: 'broken YAML', text: 'root: [\n', wanted: [/config\.yaml/] },
]) {
  test(`${what} is refused, naming file, line and key`, async () => {
    const { exitCode, stderr, stdout, file } = await configured(text)
    assert.notEqual(exitCode, 0, stdout)
    assert.ok(stderr.includes(file), stderr)
    for (const pattern of wanted) assert.match(stderr, pattern)
    assert.doesNotMatch(stderr, /\n\s+at /, 'a stack trace is no message')
    const daemon = await runProgram([lighterdPath, '--config', file])
    assert.notEqual(daemon.exitCode, 0)
    assert.ok(daemon.stderr.includes(file), daemon.stderr)
  })
}

test('an unknown flag of lighterd is refused, naming it', async () => {
  const { exitCode, stderr } = await runProgram([lighterdPath, '--no-such-flag'])
  assert.notEqual(exitCode, 0)
  assert.match(stderr, /--no-such-flag/)
})

test('lighterd and lighter tell their version', async () => {
  assert.match(await mustRun([lighterdPath, '--version']), /\d+\.\d+\.\d+/)
  assert.match(await mustRun([lighterPath, 'version']), /\d+\.\d+\.\d+/)
})
