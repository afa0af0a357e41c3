import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Ctx } from '#base/context'
import { isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { createRuntimeFinder, parseFeatures, type RuntimeFinder, whyUnusable } from './runtime-features.ts'
import { createChildPrograms } from './testing/child-programs.ts'

const kernel = { major: 6, minor: 1 }
const ctx: Ctx = { signal: new AbortController().signal, log: silentLog }

describe('an OCI runtime on the node', () => {
  let directory: string
  let programs: ReturnType<typeof createChildPrograms>
  let finder: RuntimeFinder
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-runtime-'))
    programs = createChildPrograms()
    finder = createRuntimeFinder({ programs, kernel, searchPath: `relative:/usr/sbin:${directory}` })
  })
  afterEach(() => rm(directory, { recursive: true }))

  async function script(name: string, text: string): Promise<string> {
    const path = join(directory, name)
    await writeFile(path, `#!/bin/sh\n${text}\n`)
    await chmod(path, 0o755)
    return path
  }

  it('is found in the search path and asked what it can do', async () => {
    const found = await finder.find(ctx, 'runc')
    assert.equal(found.path, '/usr/sbin/runc')
    assert.match(found.version, /^runc version \d/)
    assert.equal(found.hasSeccomp, true)
    assert.equal(found.hasRecursiveReadOnlyMounts, true)
  })

  it('is asked again only when its file is another one', async () => {
    const path = await script('oci', 'echo first')
    assert.equal((await finder.find(ctx, path)).version, 'first')
    const asked = programs.calls
    await finder.find(ctx, path)
    assert.equal(programs.calls, asked)
    await script('oci', 'echo second one')
    assert.equal((await finder.find(ctx, path)).version, 'second one')
  })

  it('that does not know the question can do nothing special', async () => {
    const path = await script('old', '[ "$1" = --version ] && echo old 1.0 || exit 1')
    assert.deepEqual(await finder.find(ctx, path), {
      path,
      version: 'old 1.0',
      hasRecursiveReadOnlyMounts: false,
      hasSeccomp: false,
      hasApparmor: false,
      hasUserNamespaces: false,
    })
  })

  const missing: readonly [string, () => Promise<string>][] = [
    ['is not in the search path', () => Promise.resolve('no-such-runtime')],
    ['is not at its path', () => Promise.resolve(join(directory, 'none'))],
    ['is a directory', () => Promise.resolve(directory)],
    ['fails', () => script('broken', 'echo no libseccomp >&2; exit 3')],
    [
      'is not executable',
      async () => {
        const path = await script('plain', '')
        await chmod(path, 0o644)
        return path
      },
    ],
  ]
  for (const [name, make] of missing) {
    it(`is one clear error when it ${name}`, async () => {
      const path = await make()
      await assert.rejects(
        finder.find(ctx, path),
        err => isKind(err, 'failed-precondition') && err.message.includes(path),
      )
    })
  }
})

describe('the features of an OCI runtime', () => {
  const all = {
    mountOptions: ['ro', 'rro'],
    linux: {
      seccomp: { enabled: true },
      apparmor: { enabled: true },
      namespaces: ['mount', 'user'],
    },
  }
  it('are read from its answer', () => {
    assert.deepEqual(parseFeatures(JSON.stringify(all), kernel), {
      hasRecursiveReadOnlyMounts: true,
      hasSeccomp: true,
      hasApparmor: true,
      hasUserNamespaces: true,
    })
  })

  it('need a kernel for recursive read-only mounts', () => {
    const old = { major: 5, minor: 10 }
    assert.equal(parseFeatures(JSON.stringify(all), old).hasRecursiveReadOnlyMounts, false)
  })

  for (const text of ['', 'null', '[]', '{"linux":null,"mountOptions":"rro"}', '{"linux":{"seccomp":1}}']) {
    it(`are none in the answer ${JSON.stringify(text)}`, () => {
      assert.deepEqual(Object.values(parseFeatures(text, kernel)), [false, false, false, false])
    })
  }
})

describe('crun', () => {
  let unified: string
  beforeEach(async () => {
    unified = await mkdtemp(join(tmpdir(), 'lighter-unified-'))
  })
  afterEach(() => rm(unified, { recursive: true }))
  const crun = { path: '/usr/bin/crun', version: 'crun version 1.8.1' }

  it('cannot be used on v1 while the v2 hierarchy has controllers, and the reason says which', async () => {
    await writeFile(join(unified, 'cgroup.controllers'), 'hugetlb\n')
    assert.match((await whyUnusable(crun, { version: 1, unified })) ?? '', /crun.*hugetlb/)
  })

  it('can be used elsewhere, as every other runtime can everywhere', async () => {
    await writeFile(join(unified, 'cgroup.controllers'), '\n')
    assert.equal(await whyUnusable(crun, { version: 1, unified }), undefined)
    await writeFile(join(unified, 'cgroup.controllers'), 'hugetlb\n')
    assert.equal(await whyUnusable(crun, { version: 2, unified }), undefined)
    assert.equal(await whyUnusable(crun, { version: 1, unified: undefined }), undefined)
    assert.equal(
      await whyUnusable({ path: '/r', version: 'runc version 1.1' }, { version: 1, unified }),
      undefined,
    )
  })
})
