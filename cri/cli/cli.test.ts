import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { defaultText } from '../config/default-text.ts'
import { defaultConfig } from '../config/defaults.ts'
import { parseFile } from '../config/load.ts'
import { version } from '../version.ts'

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(program: 'cli/main.js' | 'main.js', ...args: string[]): Promise<Ended> {
  return new Promise(resolve => {
    execFile(process.execPath, [`build/cri/${program}`, ...args], (err, stdout, stderr) => {
      resolve({ code: typeof err?.code === 'number' ? err.code : 0, stdout, stderr })
    })
  })
}

test('lighter config --default prints the commented default', async () => {
  assert.deepEqual(await run('cli/main.js', 'config', '--default'), {
    code: 0,
    stdout: defaultText,
    stderr: '',
  })
})

test('lighter config prints what lighterd with the same flags would have', async () => {
  const { code, stdout } = await run('cli/main.js', 'config', '--root', '/other', '--config', '/dev/null')
  assert.equal(code, 0)
  assert.deepEqual(parseFile(stdout, 'output'), { ...defaultConfig, root: '/other' })
})

test('lighter without a command, and lighter help, say what there is', async () => {
  const help = await run('cli/main.js', 'help')
  assert.match(help.stdout, /lighter config[^]*--root DIR/)
  assert.deepEqual(await run('cli/main.js'), help)
  assert.deepEqual(await run('cli/main.js', 'config', '--help'), help)
})

test('an unknown command is one clear error', async () => {
  const { code, stdout, stderr } = await run('cli/main.js', 'confg')
  assert.deepEqual([code, stdout], [1, ''])
  assert.equal(stderr, 'lighter: there is no command "confg": see "lighter help"\n')
})

test('both programs tell their version', async () => {
  assert.equal((await run('cli/main.js', 'version')).stdout, `lighter ${version}\n`)
  assert.equal((await run('main.js', '--version')).stdout, `${version}\n`)
})

test('lighterd --help lists every flag', async () => {
  const { stdout } = await run('main.js', '--help')
  const flags = ['config', 'root', 'state', 'listen', 'cni-conf-dir', 'cni-bin-dir', 'certs-dir', 'log-level']
  for (const flag of [...flags, 'help', 'version']) assert.match(stdout, new RegExp(`--${flag}\\b`))
})

test('lighterd with a wrong flag or file starts nothing: one line, exit code 2', async () => {
  for (const [args, text] of [
    [['--rot', '/x'], /^lighterd: .*--rot.*\n$/],
    [['--default'], /^lighterd: .*--default.*\n$/],
    [['--log-level', 'loud'], /^lighterd: --log-level: .*\n$/],
    [['--config', 'package.json'], /^lighterd: package\.json:2: unknown key "name".*\n$/],
  ] as const) {
    const { code, stdout, stderr } = await run('main.js', ...args)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, text)
  }
})
