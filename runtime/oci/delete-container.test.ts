import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { deleteContainer } from './delete-container.ts'
import { createChildPrograms } from './testing/child-programs.ts'
import { createTestPod, type TestPod } from './testing/run-container.ts'

const exec = promisify(execFile)
const ctx = { signal: new AbortController().signal, log: silentLog }

/** A dead process may stay as a zombie until whoever inherited it reaps it. */
async function isAlive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return text !== '' && !/\) Z /.test(text)
}

describe('deleting a container without its shim', () => {
  let pod: TestPod
  before(async () => {
    pod = await createTestPod()
  })
  after(() => pod.remove())

  it('kills it and removes what the OCI runtime knew of it', async () => {
    const { id, runtimeRoot } = await pod.start({ command: ['cat', '/dev/zero'] })
    const { stdout } = await exec('runc', ['--root', runtimeRoot, 'state', id])
    const { pid, status } = JSON.parse(stdout) as { readonly pid: number; readonly status: string }
    assert.equal(status, 'running')
    await deleteContainer(ctx, createChildPrograms(), {
      id,
      runtimePath: '/usr/sbin/runc',
      runtimeRoot,
      timeoutMs: 10_000,
    })
    await assert.rejects(exec('runc', ['--root', runtimeRoot, 'state', id]))
    assert.equal(await isAlive(pid), false)
  })

  it('succeeds when there is none', async () => {
    const input = { id: 'none', runtimePath: '/usr/sbin/runc', timeoutMs: 10_000 }
    await deleteContainer(ctx, createChildPrograms(), { ...input, runtimeRoot: join(pod.directory, 'runc') })
  })

  it('tells what the runtime said when that fails', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lighter-delete-'))
    try {
      const input = { id: 'x', runtimePath: '/bin/false', runtimeRoot: directory, timeoutMs: 10_000 }
      await assert.rejects(deleteContainer(ctx, createChildPrograms(), input), err => isKind(err, 'internal'))
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
