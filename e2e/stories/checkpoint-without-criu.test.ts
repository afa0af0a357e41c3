import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import { podConfig } from '../harness/configs.ts'
import { type Story, useWorld } from '../harness/world.ts'

const brokenCriu = '#!/bin/sh\necho "Error (criu/check.c:1): this kernel is too new for me" >&2\nexit 1\n'

let programsDir = ''
const story = useWorld({
  async prepare({ dir }) {
    programsDir = join(dir, 'programs')
    await mkdir(programsDir)
    const config = join(dir, 'checkpoint.yaml')
    await writeFile(config, `checkpoint: {criuPath: ${programsDir}/criu}\n`)
    return ['--config', config]
  },
})

/** Everything that needs CRIU, with input that is right but for that. */
async function refusals(s: Story): Promise<readonly (() => Promise<unknown>)[]> {
  const pod = await s.runPod()
  const id = await s.run(pod)
  const outputPath = join(s.scratch.dir, 'output')
  await mkdir(outputPath, { recursive: true })
  const archive = join(s.scratch.dir, 'archive.tar')
  await writeFile(archive, '')
  const checkpoint = join(s.scratch.dir, 'checkpoint')
  await mkdir(checkpoint, { recursive: true })
  const options = { version: 1, archives: [{ name: 'main', file: `${id}.tar` }] }
  await writeFile(join(checkpoint, 'pod.options'), JSON.stringify(options))
  const { client } = s.cri
  return [
    () => client.call(rpc.CheckpointContainer, { containerId: id, location: join(s.scratch.dir, 'new.tar') }),
    () => client.call(rpc.CheckpointPod, { podSandboxId: pod.id, outputPath, containerIds: [id] }),
    () => s.create(pod, { name: 'restored', image: archive }),
    () =>
      client.call(rpc.RestorePod, {
        checkpointPath: checkpoint,
        config: podConfig(s.scratch),
        containerConfigs: [s.container()],
      }),
  ]
}

test(
  'without CRIU every call that needs it says what is missing and what to do',
  story(async s => {
    for (const call of await refusals(s)) {
      await assert.rejects(call(), {
        code: grpcCode.failedPrecondition,
        details:
          /need CRIU, and there is no ".*\/criu": install it \(package criu\), or set checkpoint\.criuPath/,
      })
    }
    assert.deepEqual(await readdir(join(s.scratch.dir, 'output')), [])
  }),
)

test(
  'a CRIU that does not work here is named with its reason, and asked again when it is replaced',
  story(async s => {
    const path = join(programsDir, 'criu')
    await writeFile(path, brokenCriu, { mode: 0o755 })
    for (const call of await refusals(s)) {
      await assert.rejects(call(), {
        code: grpcCode.failedPrecondition,
        details: /\/criu does not work on this node: .*this kernel is too new for me.*: install a newer CRIU/,
      })
    }
  }),
)
