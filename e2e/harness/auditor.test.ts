import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { leftovers } from './auditor.ts'
import { eventually } from './eventually.ts'
import { mustRun } from './program.ts'
import { cgroupDirs, createScratch, removeScratch, type Scratch } from './scratch.ts'
import { collectTraces } from './traces.ts'

test('the auditor names each thing that is left over, and nothing when all is gone', async t => {
  const scratch = await createScratch()
  t.after(() => removeScratch(scratch))
  await mkdir(join(scratch.rootDir, 'pods'), { recursive: true })
  await mkdir(join(scratch.rootDir, 'snapshots'), { recursive: true })
  const before = await collectTraces(scratch)
  assert.deepEqual(leftovers(before, await collectTraces(scratch)), [])

  const undo = await leaveTraces(scratch)
  const found = await eventually('all traces are seen', async () => {
    const left = leftovers(before, await collectTraces(scratch))
    return new Set(left.map(line => line.split(':')[0])).size === 7 && left
  })
  for (const pattern of [
    /^mount: tmpfs on .*\/root\/mounted$/,
    new RegExp(`^interface: ${scratch.bridge}x$`),
    /^cgroup: .*\/left\/$/,
    /^address lease: 10\./,
    /^process: sleep \(pid \d+\): sleep 1000/,
    /^file: root\/pods\/record\.json$/,
    /^image layer: snapshots\/ entry 1$/,
  ]) {
    assert.ok(
      found.some(line => pattern.test(line)),
      `${String(pattern)} in\n${found.join('\n')}`,
    )
  }
  await undo()
  await eventually(
    'nothing is left',
    async () => leftovers(before, await collectTraces(scratch)).length === 0,
  )
})

/** Leaves one thing of each kind; answers what takes them away again. */
async function leaveTraces(scratch: Scratch): Promise<() => Promise<void>> {
  const mounted = join(scratch.rootDir, 'mounted')
  const lease = join(scratch.ipamDir, scratch.networkName, `${scratch.subnet}.9`)
  const record = join(scratch.rootDir, 'pods', 'record.json')
  const layer = join(scratch.rootDir, 'snapshots', '1')
  const cgroups = (await cgroupDirs(scratch.cgroupParent)).map(dir => join(dir, 'left'))
  const veth = `${scratch.bridge}x`
  await mkdir(mounted)
  await mustRun(['mount', '-t', 'tmpfs', 'tmpfs', mounted])
  await mustRun(['ip', 'link', 'add', scratch.bridge, 'type', 'bridge'])
  await mustRun(['ip', 'link', 'add', veth, 'type', 'veth', 'peer', 'name', `${scratch.bridge}y`])
  await mustRun(['ip', 'link', 'set', veth, 'master', scratch.bridge])
  for (const dir of cgroups) await mkdir(dir)
  await mkdir(join(lease, '..'), { recursive: true })
  await writeFile(lease, 'id')
  await writeFile(record, '{}')
  await mkdir(layer)
  const child = spawn('sleep', ['1000'], {
    env: { ...process.env, OWNER: `${scratch.dir}/x` },
    stdio: 'ignore',
  })
  return async () => {
    child.kill('SIGKILL')
    await mustRun(['umount', mounted])
    await mustRun(['ip', 'link', 'delete', veth])
    await mustRun(['ip', 'link', 'delete', scratch.bridge])
    for (const dir of cgroups) await mustRun(['rmdir', dir])
    for (const path of [mounted, lease, record, layer]) await rm(path, { recursive: true })
  }
}
