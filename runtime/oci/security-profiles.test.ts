import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { loadSeccompProfile, selectApparmorProfile } from './security-profiles.ts'
import { sampleSecurity } from './testing/samples.ts'

describe('a seccomp profile of the node', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-seccomp-'))
  })
  after(() => rm(directory, { recursive: true }))

  it('is read when the container names it', async () => {
    const ref = join(directory, 'p.json')
    await writeFile(ref, '{"defaultAction":"SCMP_ACT_LOG"}')
    const found = await loadSeccompProfile({ ...sampleSecurity, seccomp: { type: 'localhost', ref } })
    assert.equal(found?.defaultAction, 'SCMP_ACT_LOG')
  })

  it('is not looked at when the container is privileged', async () => {
    const seccomp = { type: 'localhost', ref: '/no/such/profile' } as const
    assert.equal(await loadSeccompProfile({ ...sampleSecurity, isPrivileged: true, seccomp }), undefined)
  })

  const wrong = [
    { name: 'missing', content: undefined, kind: 'failed-precondition' },
    { name: 'no profile', content: '[]', kind: 'invalid-argument' },
    { name: 'huge', content: ' '.repeat(2 * 1024 * 1024), kind: 'resource-exhausted' },
  ] as const
  for (const { name, content, kind } of wrong) {
    it(`is ${kind} when it is ${name}`, async () => {
      const ref = join(directory, name)
      if (content !== undefined) await writeFile(ref, content)
      await assert.rejects(
        loadSeccompProfile({ ...sampleSecurity, seccomp: { type: 'localhost', ref } }),
        err => isKind(err, kind) && err.message.includes(ref),
      )
    })
  }

  it('has an absolute path', async () => {
    const seccomp = { type: 'localhost', ref: 'p.json' } as const
    await assert.rejects(loadSeccompProfile({ ...sampleSecurity, seccomp }), err =>
      isKind(err, 'invalid-argument'),
    )
  })
})

describe('the AppArmor profile of a container', () => {
  const localhost = { type: 'localhost', ref: 'no-such-profile' } as const
  for (const apparmor of [undefined, { type: 'runtime-default' }, { type: 'unconfined' }] as const) {
    it(`is none on a host without AppArmor for ${apparmor?.type ?? 'nothing'}`, async () => {
      const found = await selectApparmorProfile({ ...sampleSecurity, apparmor }, { hasApparmor: false })
      assert.equal(found, undefined)
    })
  }

  for (const hasApparmor of [true, false]) {
    it(`is an error when it is not loaded (host with AppArmor: ${String(hasApparmor)})`, async () => {
      await assert.rejects(
        selectApparmorProfile({ ...sampleSecurity, apparmor: localhost }, { hasApparmor }),
        err => isKind(err, 'failed-precondition') && err.message.includes('no-such-profile'),
      )
    })
  }

  it('is none when privileged', async () => {
    const security = { ...sampleSecurity, apparmor: localhost, isPrivileged: true }
    assert.equal(await selectApparmorProfile(security, { hasApparmor: true }), undefined)
  })
})
