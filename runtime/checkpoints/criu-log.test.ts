import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { errorsInLog } from './criu-log.ts'

const log = `(00.000000) Running on node
(00.053996) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.057548)      1: Error (criu/mount.c:2): mnt: No mapping for 12
(00.065692) Error (criu/files-reg.c:1790): Can't lookup mount=52 for fd=1 path=/a.log
(00.245545) \tUnseizing 2033 into 1
`

test("the errors of CRIU's log are told without times and places", async t => {
  const directory = await mkdtemp(join(tmpdir(), 'criu-log-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'dump.log')
  assert.equal(await errorsInLog(path), '')
  await writeFile(path, 'x'.repeat(200_000) + log)
  assert.equal(await errorsInLog(path), "mnt: No mapping for 12; Can't lookup mount=52 for fd=1 path=/a.log")
})
