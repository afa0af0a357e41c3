import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import type { Host } from '#shim/host'
import type { ContainerSecurity, ContainerUser } from '../model/container.ts'
import { resolveUser } from './resolve-user.ts'
import { sampleSecurity } from './testing/samples.ts'

const files: Readonly<Record<string, string>> = {
  '/etc/passwd': [
    'root:x:0:0:root:/root:/bin/sh',
    '# a comment',
    '',
    'maat:x:1000:1001:,,,:/home/maat:/bin/sh',
    'short',
    'nogid:x:7',
    '2000:x:0:0::/:/bin/sh',
    'huge:x:4294967295:0::/:',
    'hugegroup:x:9:9999999999::/:',
  ].join('\n'),
  '/etc/group': [
    'root:x:0:',
    'maat:x:1001:',
    'deck:x:3000:other,maat',
    'hold:x:3001:maat',
    'broken:x:abc:maat',
    '3000:x:0:',
    'huge:x:4294967295:maat',
  ].join('\n'),
}

function resolve(
  security: Partial<ContainerSecurity>,
  imageUser = '',
  readInRoot: Host['readInRoot'] = (_ctx, _root, path) => Promise.resolve(Buffer.from(files[path] ?? '')),
): Promise<ContainerUser> {
  return resolveUser(
    { signal: new AbortController().signal, log: silentLog },
    { readInRoot },
    { rootfsPath: '/rootfs', security: { ...sampleSecurity, ...security }, imageUser },
  )
}

describe('the user of a container', () => {
  const cases: readonly [Partial<ContainerSecurity>, string, readonly [number, number, ...number[]]][] = [
    [{}, '', [0, 0, 0]],
    [{}, 'maat', [1000, 1001, 1001, 3000, 3001]],
    [{}, '1000', [1000, 1001, 1001, 3000, 3001]],
    [{}, 'maat:deck', [1000, 3000, 3000, 3001]],
    [{}, 'maat:77', [1000, 77, 77, 3000, 3001]],
    [{}, '4242', [4242, 0, 0]],
    [{}, '4242:4243', [4242, 4243, 4243]],
    [{}, ':deck', [0, 3000, 3000]],
    [{ runAsUser: 5 }, 'maat', [5, 0, 0]],
    [{ runAsUser: 1000 }, 'root', [1000, 1001, 1001, 3000, 3001]],
    [{ runAsUser: 1000, runAsGroup: 8 }, '', [1000, 8, 8, 3000, 3001]],
    [{ runAsUser: 0 }, 'maat', [0, 0, 0]],
    [{ runAsUsername: 'maat' }, '', [1000, 1001, 1001, 3000, 3001]],
    [{ runAsUsername: 'maat', runAsGroup: 8 }, '', [1000, 8, 8, 3000, 3001]],
    [{ runAsUser: 1000, supplementalGroups: [3001, 50] }, '', [1000, 1001, 1001, 3000, 3001, 50]],
    [
      { runAsUser: 1000, supplementalGroups: [50], supplementalGroupsPolicy: 'strict' },
      '',
      [1000, 1001, 1001, 50],
    ],
    // Numbers are ids, whatever names the image gives: here user "2000" is root, group "3000" is root's.
    [{ runAsUser: 2000 }, '', [2000, 0, 0]],
    [{}, '2000', [2000, 0, 0]],
    [{}, '5:3000', [5, 3000, 3000]],
  ]
  for (const [security, imageUser, [uid, gid, ...supplementalGroups]] of cases) {
    it(`is ${uid}:${gid} in ${supplementalGroups.join(',')} for ${JSON.stringify(security)}, image "${imageUser}"`, async () => {
      assert.deepEqual(await resolve(security, imageUser), { uid, gid, supplementalGroups })
    })
  }

  const wrong: readonly [Partial<ContainerSecurity>, string][] = [
    [{ runAsGroup: 1 }, ''],
    [{ runAsGroup: 1 }, 'maat'],
    [{ runAsUser: -1 }, ''],
    [{ runAsUser: 4_294_967_295 }, ''],
    [{ runAsUser: 1, runAsGroup: -1 }, ''],
    [{ runAsUser: 1, supplementalGroups: [4_294_967_296] }, ''],
    [{ runAsUsername: 'stranger' }, ''],
    [{}, 'stranger'],
    [{}, 'maat:strangers'],
    [{}, '4294967296'],
    [{}, '99999999999999999999'],
    [{}, '-1'],
    [{}, 'huge'],
    [{}, 'hugegroup'],
    [{}, 'maat:huge'],
    [{}, 'nogid'],
  ]
  for (const [security, imageUser] of wrong) {
    it(`is refused for ${JSON.stringify(security)}, image "${imageUser}"`, async () => {
      await assert.rejects(resolve(security, imageUser), err => isKind(err, 'invalid-argument'))
    })
  }

  it('may be a number in an image without users', async () => {
    const found = await resolve({ runAsUser: 12 }, '', () => Promise.resolve(undefined))
    assert.deepEqual(found, { uid: 12, gid: 0, supplementalGroups: [0] })
  })

  it('is not guessed when the files of the image cannot be read', async () => {
    const tooBig = new RuntimeError('resource-exhausted', 'EFBIG')
    await assert.rejects(
      resolve({}, '', () => Promise.reject(tooBig)),
      err => isKind(err, 'resource-exhausted') && err.message.includes('/etc/'),
    )
  })
})
