import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { buildSpec } from '../spec/build-spec.ts'
import type { HooksSpec } from '../spec/types.ts'
import { specInputWith } from '../testing/samples.ts'
import { configuredHooks } from './configured-hooks.ts'

const hook = { path: '/usr/libexec/hook', args: ['hook', 'x'], env: ['A=1'], timeout: 5 }

describe('the hooks of a directory', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-hooks-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  const write = (name: string, content: unknown): Promise<void> =>
    writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content))

  /** Hooks of a container whose command is `/bin/shop --open`, with one annotation that the handler lets pass. */
  async function chosen(hasBindMounts = false): Promise<HooksSpec> {
    const input = specInputWith({
      config: {
        command: ['/bin/shop', '--open'],
        annotations: { 'example.org/gpu': 'two', 'example.org/secret': 'x' },
      },
    })
    const spec = buildSpec({ ...input, allowedAnnotations: ['example.org/gpu'] })
    return configuredHooks(directory, { spec, hasBindMounts })
  }

  it('of a directory that is not there are none', async () => {
    await rm(directory, { recursive: true })
    assert.deepEqual(await chosen(), {})
    directory = await mkdtemp(join(tmpdir(), 'lighter-hooks-'))
  })

  it('run in their stages, in the order of the names of their files', async () => {
    await write('20-b.json', {
      version: '1.0.0',
      hook: { path: '/b' },
      when: { always: true },
      stages: ['prestart'],
    })
    await write('10-a.json', {
      version: '1.0.0',
      hook,
      when: { always: true },
      stages: ['prestart', 'poststop'],
    })
    await write('README', 'no hook')
    assert.deepEqual(await chosen(), { prestart: [hook, { path: '/b' }], poststop: [hook] })
  })

  const conditions: readonly (readonly [string, object, boolean])[] = [
    ['always', { always: true }, true],
    ['never', { always: false }, false],
    ['nothing said', {}, false],
    ['an annotation', { annotations: { '^example\\.org/gpu$': '^(one|two)$' } }, true],
    ['an annotation with another value', { annotations: { '^example\\.org/gpu$': 'three' } }, false],
    ['an annotation that does not pass', { annotations: { '^example\\.org/secret$': '.*' } }, false],
    ['an annotation of ours', { annotations: { 'cri\\.container-name': '.' } }, true],
    ['a command', { commands: ['^/sbin/', '/shop$'] }, true],
    ['another command', { commands: ['--open'] }, false],
    ['one that holds and one that does not', { always: true, commands: ['/inn$'] }, false],
    ['bind mounts that are not there', { hasBindMounts: true }, false],
  ]
  for (const [name, when, runs] of conditions) {
    it(`${runs ? 'run' : 'do not run'}: ${name}`, async () => {
      await write('a.json', { version: '1.0.0', hook, when, stages: ['createRuntime'] })
      assert.deepEqual(await chosen(), runs ? { createRuntime: [hook] } : {})
    })
  }

  it('for bind mounts run where there are some', async () => {
    await write('a.json', { version: '1.0.0', hook, when: { hasBindMounts: true }, stages: ['poststart'] })
    assert.deepEqual(await chosen(true), { poststart: [hook] })
  })

  const always = { always: true }
  const broken: readonly (readonly [string, unknown, RegExp])[] = [
    ['not JSON', '{', /a\.json is not JSON/],
    ['a list', [], /a\.json is not an object/],
    ['another version', { version: '2.0.0', hook, when: always, stages: ['prestart'] }, /version is not/],
    ['no program', { version: '1.0.0', when: always, stages: ['prestart'] }, /hook is not an object/],
    [
      'a relative program',
      { version: '1.0.0', hook: { path: 'x' }, when: always, stages: ['prestart'] },
      /absolute/,
    ],
    ['no stage', { version: '1.0.0', hook, when: always, stages: [] }, /stages is empty/],
    ['an unknown stage', { version: '1.0.0', hook, when: always, stages: ['later'] }, /"later" is none of/],
    [
      'a wrong pattern',
      { version: '1.0.0', hook, when: { commands: ['('] }, stages: ['prestart'] },
      /regular/,
    ],
    [
      'a wrong flag',
      { version: '1.0.0', hook, when: { always: 'yes' }, stages: ['prestart'] },
      /when\.always/,
    ],
    [
      'a time-out of nothing',
      { version: '1.0.0', hook: { ...hook, timeout: 0 }, when: always, stages: ['prestart'] },
      /timeout/,
    ],
  ]
  for (const [name, content, text] of broken) {
    it(`that cannot be understood stop the container: ${name}`, async () => {
      await write('a.json', content)
      await assert.rejects(chosen(), err => isKind(err, 'failed-precondition') && text.test(err.message))
    })
  }
})
