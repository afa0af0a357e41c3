import assert from 'node:assert/strict'
import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { resolveHostPaths } from './host-paths.ts'
import { sampleMount } from './testing/samples.ts'

describe('the host path of a mount', () => {
  let directory: string
  before(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'lighter-paths-')))
  })
  after(() => rm(directory, { recursive: true }))

  async function resolved(hostPath: string): Promise<string | undefined> {
    return (await resolveHostPaths([{ ...sampleMount, hostPath }])).get(hostPath)
  }

  it('stays as it is when it is no link', async () => {
    const file = join(directory, 'file')
    await writeFile(file, '')
    assert.equal(await resolved(file), file)
  })

  it('is what the links on the way to it lead to', async () => {
    await mkdir(join(directory, 'real/below'), { recursive: true })
    await symlink('real', join(directory, 'link'))
    assert.equal(await resolved(join(directory, 'link/below')), join(directory, 'real/below'))
  })

  it('is made as a directory when it is missing', async () => {
    const path = join(directory, 'a/b/c')
    assert.equal(await resolved(path), path)
    assert.equal((await stat(path)).isDirectory(), true)
  })

  it('is made behind a link, too', async () => {
    await mkdir(join(directory, 'target'))
    await symlink('target', join(directory, 'to-target'))
    assert.equal(await resolved(join(directory, 'to-target/new')), join(directory, 'target/new'))
  })

  it('is an error when it is a link to nothing', async () => {
    const path = join(directory, 'dangling')
    await symlink('/no/such/place', path)
    await assert.rejects(
      resolved(path),
      err => isKind(err, 'failed-precondition') && err.message.includes(path),
    )
  })

  it('is an error when it lies below a file', async () => {
    await writeFile(join(directory, 'plain'), '')
    const path = join(directory, 'plain/below')
    await assert.rejects(resolved(path), err => isKind(err, 'internal') && err.message.includes(path))
  })
})
