import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { readBundle, writeBundle } from './bundle.ts'
import { execProcess, writeExecProcess } from './process-spec.ts'
import { buildSpec } from './spec/build-spec.ts'
import { sampleSpecInput, specInputWith } from './testing/samples.ts'

const spec = buildSpec({ ...sampleSpecInput, user: { uid: 7, gid: 8, supplementalGroups: [8, 9] } })

describe('the process of an exec', () => {
  it('is the first one of the container with another command', () => {
    const command = ['/bin/ls', '-l']
    const found = execProcess(spec, { command, hasTty: false })
    assert.deepEqual(found, { ...spec.process, args: command })
  })

  it('gets a terminal and a terminal type, unless the container has one already', () => {
    const found = execProcess(spec, { command: ['sh'], hasTty: true })
    assert.equal(found.terminal, true)
    assert.equal(found.env.at(-1), 'TERM=xterm')
    const own = buildSpec(specInputWith({ config: { envs: [{ key: 'TERM', value: 'vt100' }] } }))
    const { env } = execProcess(own, { command: ['sh'], hasTty: true })
    assert.deepEqual(
      env.filter(entry => entry.startsWith('TERM=')),
      ['TERM=vt100'],
    )
  })

  it('has no terminal because the container has one', () => {
    const withTty = buildSpec(specInputWith({ config: { hasTty: true } }))
    assert.equal(execProcess(withTty, { command: ['sh'], hasTty: false }).terminal, false)
  })

  for (const command of [[], ['a\0b']]) {
    it(`is refused for the command ${JSON.stringify(command)}`, () => {
      assert.throws(
        () => execProcess(spec, { command, hasTty: false }),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }
})

describe('a bundle on disk', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-bundle-'))
  })
  after(() => rm(directory, { recursive: true }))

  it('is read back as it was written, and only root can read it', async () => {
    await writeBundle(directory, spec)
    assert.deepEqual(await readBundle(directory), spec)
    assert.equal((await stat(join(directory, 'config.json'))).mode & 0o777, 0o600)
  })

  it('serves to write the process file of an exec', async () => {
    await writeBundle(directory, spec)
    const path = join(directory, 'exec.json')
    await writeExecProcess({ bundlePath: directory, path, command: ['id'], hasTty: false })
    assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), { ...spec.process, args: ['id'] })
  })

  it('that is not there is not found', async () => {
    await assert.rejects(readBundle(join(directory, 'none')), err => isKind(err, 'not-found'))
  })

  it('that is damaged is told apart', async () => {
    await writeFile(join(directory, 'config.json'), '{"ociVer')
    await assert.rejects(readBundle(directory), err => isKind(err, 'data-loss'))
  })
})
