import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import { resolveUser } from './resolve-user.ts'
import { containerMounts } from './spec/mounts.ts'
import { parseSeccompProfile } from './spec/parse-seccomp-profile.ts'
import { sampleMount, sampleSecurity, specInputWith } from './testing/samples.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }
const word = fc.oneof(
  fc.constantFrom('root', 'maat', '0', '1000', '-1', '4294967295', '99999999999', '', ' ', 'x:y'),
  fc.string({ maxLength: 8 }),
)
const database = fc
  .array(
    fc.array(word, { maxLength: 8 }).map(fields => fields.join(':')),
    { maxLength: 12 },
  )
  .map(lines => Buffer.from(lines.join('\n')))

describe('hostile input', () => {
  it('never makes a user outside of the range of ids, nor any other error than ours', async () => {
    const isId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < 4_294_967_295
    await fc.assert(
      fc.asyncProperty(database, database, word, async (passwd, group, imageUser) => {
        const host = {
          readInRoot: (_ctx: unknown, _root: string, path: string) =>
            Promise.resolve(path === '/etc/passwd' ? passwd : group),
        }
        try {
          const input = { rootfsPath: '/', security: sampleSecurity, imageUser }
          const user = await resolveUser(ctx, host, input)
          assert.ok([user.uid, user.gid, ...user.supplementalGroups].every(isId))
        } catch (err) {
          assert.ok(err instanceof RuntimeError, String(err))
        }
      }),
    )
  })

  it('never gives a numeric user another id than that number', async () => {
    await fc.assert(
      fc.asyncProperty(database, fc.nat(), async (passwd, uid) => {
        const host = { readInRoot: () => Promise.resolve(passwd) }
        const security = { ...sampleSecurity, runAsUser: uid }
        try {
          const user = await resolveUser(ctx, host, { rootfsPath: '/', security, imageUser: '' })
          assert.equal(user.uid, uid)
        } catch (err) {
          assert.ok(err instanceof RuntimeError, String(err))
        }
      }),
    )
  })

  it('in a seccomp profile is one clear error', () => {
    const key = fc.constantFrom(
      'defaultAction',
      'syscalls',
      'names',
      'action',
      'args',
      'includes',
      'index',
      'op',
    )
    const action = fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_CMP_EQ', null, 1, 'x')
    const { tree } = fc.letrec(tie => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        action,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
      ),
    }))
    fc.assert(
      fc.property(tree, value => {
        try {
          parseSeccompProfile('/p.json', JSON.stringify(value))
        } catch (err) {
          assert.ok(err instanceof RuntimeError && err.message.includes('/p.json'), String(err))
        }
      }),
    )
  })

  it('in the path of a mount stays below the root of the container', () => {
    const path = fc.array(fc.constantFrom('..', '.', 'a', '', 'etc', 'dev'), { maxLength: 8 })
    fc.assert(
      fc.property(path, fc.boolean(), (parts, isAbsolute) => {
        const containerPath = `${isAbsolute ? '/' : ''}${parts.join('/')}`
        try {
          const mounts = containerMounts(
            specInputWith({ config: { mounts: [{ ...sampleMount, containerPath }] } }),
          )
          const [own] = mounts.filter(mount => mount.source === sampleMount.hostPath)
          assert.ok(own)
          assert.equal(own.destination, posix.normalize(own.destination))
          assert.match(own.destination, /^\/(?!\.\.)[^/]/)
        } catch (err) {
          assert.ok(err instanceof RuntimeError && err.kind === 'invalid-argument', String(err))
        }
      }),
    )
  })
})
