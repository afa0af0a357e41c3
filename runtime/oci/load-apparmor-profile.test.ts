import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Ctx } from '#base/context'
import { type Log, silentLog } from '#base/log'
import type { Program } from '#base/programs'
import { type ApparmorPaths, loadApparmorProfile } from './load-apparmor-profile.ts'

describe('the default AppArmor profile', () => {
  let directory: string
  let paths: ApparmorPaths
  let runs: Program[]
  let errors: unknown[]
  let exitCode: number
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-apparmor-'))
    const [parser, abi, label] = ['parser', 'abi', 'label'].map(name => join(directory, name))
    paths = { parsers: ['/no/such/parser', parser ?? ''], abi: abi ?? '', label: label ?? '' }
    await writeFile(parser ?? '', '')
    runs = []
    errors = []
    exitCode = 0
  })
  afterEach(() => rm(directory, { recursive: true }))

  async function load(hasApparmor = true): Promise<string> {
    const log: Log = { ...silentLog, error: fields => void errors.push(fields['err']) }
    const ctx: Ctx = { signal: new AbortController().signal, log }
    const programs = {
      run: (_ctx: Ctx, program: Program) => {
        runs.push(program)
        return Promise.resolve({ exitCode, stdout: Buffer.alloc(0), stderr: Buffer.from('it is broken') })
      },
    }
    await loadApparmorProfile(ctx, { programs, facts: { hasApparmor }, paths })
    return String(runs[0]?.stdin ?? '')
  }

  it('is given to the parser, and lets those stop containers that do', async () => {
    const text = await load()
    assert.deepEqual(
      runs.map(({ argv }) => argv),
      [[join(directory, 'parser'), '--replace', '--skip-cache']],
    )
    assert.match(text, /^profile lighter-default /)
    for (const peer of ['unconfined', 'runc', 'crun'])
      assert.match(text, new RegExp(`signal \\(receive\\) peer="${peer}",`))
    assert.match(text, /signal \(send, receive\) peer=lighter-default,/)
    assert.deepEqual(errors, [])
  })

  it('names the feature set where the node has it, and the profile of the daemon where it has one', async () => {
    await writeFile(paths.abi, '')
    await writeFile(paths.label, 'lighterd (enforce)\n')
    const text = await load()
    assert.match(text, /^abi <abi\/3\.0>,/)
    assert.match(text, /signal \(receive\) peer="lighterd",/)
  })

  it('does not name an unconfined daemon twice', async () => {
    await writeFile(paths.label, 'unconfined\n')
    assert.equal((await load()).match(/peer="unconfined"/g)?.length, 1)
  })

  it('is not loaded on a node without AppArmor', async () => {
    await load(false)
    assert.deepEqual([runs, errors], [[], []])
  })

  it('that cannot be loaded is no reason not to start', async () => {
    exitCode = 1
    await load()
    assert.match(String(errors[0]), /parser failed: it is broken/)
    paths = { ...paths, parsers: ['/no/such/parser'] }
    await load()
    assert.match(String(errors[1]), /\/no\/such\/parser not found/)
  })
})
