import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import { int64, podConfig } from '../harness/configs.ts'
import { criuConfig, whyNoCriu } from '../harness/criu.ts'
import { eventually } from '../harness/eventually.ts'
import { readLogText } from '../harness/pod-log.ts'
import { mustRun } from '../harness/program.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

/** An OCI runtime that is runc, but whose checkpoint hangs; criu has not touched the container yet. */
const hangingRuntime =
  '#!/bin/sh\ncase " $* " in *" checkpoint "*) sleep 60;; esac\nexec /usr/sbin/runc "$@"\n'

const skip = await whyNoCriu()
const story = useWorld({
  async prepare({ dir }) {
    const runtime = join(dir, 'hanging-runc')
    await writeFile(runtime, hangingRuntime, { mode: 0o755 })
    const config = join(dir, 'checkpoint.yaml')
    await writeFile(config, `${criuConfig}runtimes: {handlers: {hanging: {path: ${runtime}}}}\n`)
    return ['--config', config]
  },
})

interface Counter {
  readonly pod: TestPod
  readonly id: string
}

async function runCounter(s: Story, runtimeHandler = ''): Promise<Counter> {
  const config = podConfig(s.scratch)
  const pod = { id: await s.cri.runPod(config, runtimeHandler), config }
  const id = await s.run(pod, { shell: 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done' })
  await goesOn(s, pod)
  return { pod, id }
}

async function goesOn(s: Story, pod: TestPod): Promise<void> {
  const lines = (): Promise<number> =>
    readLogText(s.logPath(pod)).then(
      all => all.length,
      () => 0,
    )
  const before = await lines()
  await eventually('the counter goes on', async () => (await lines()) > before + 3)
}

async function checkpoint(
  s: Story,
  containerId: string,
  { location, seconds = 30 }: { readonly location: string; readonly seconds?: number },
): Promise<void> {
  await s.cri.client.call(rpc.CheckpointContainer, { containerId, location, timeout: int64(seconds) })
}

test(
  'a location that cannot be written is refused, and the container goes on',
  { skip },
  story(async s => {
    const { pod, id } = await runCounter(s)
    const taken = join(s.scratch.dir, 'taken.tar')
    await writeFile(taken, 'mine')
    const cases: readonly [string, string, number][] = [
      [id, taken, grpcCode.alreadyExists],
      [id, 'relative.tar', grpcCode.invalidArgument],
      [id, join(s.scratch.dir, 'nowhere', 'a.tar'), grpcCode.failedPrecondition],
      [id, `${s.scratch.dir}/`, grpcCode.invalidArgument],
      [id, '', grpcCode.invalidArgument],
      ['', join(s.scratch.dir, 'a.tar'), grpcCode.invalidArgument],
      ['f'.repeat(64), join(s.scratch.dir, 'a.tar'), grpcCode.notFound],
    ]
    for (const [containerId, location, code] of cases) {
      await assert.rejects(checkpoint(s, containerId, { location }), { code })
    }
    await assert.rejects(checkpoint(s, id, { location: join(s.scratch.dir, 'a.tar'), seconds: -1 }), {
      code: grpcCode.invalidArgument,
    })
    await goesOn(s, pod)
  }),
)

test(
  'a container that does not run cannot be checkpointed',
  { skip },
  story(async s => {
    const pod = await s.runPod()
    const location = join(s.scratch.dir, 'idle.tar')
    const created = await s.create(pod, { name: 'created' })
    const ended = await s.run(pod, { name: 'ended' })
    await s.cri.stopContainer(ended)
    for (const id of [created, ended]) {
      await assert.rejects(checkpoint(s, id, { location }), {
        code: grpcCode.failedPrecondition,
        details: /not running/,
      })
    }
  }),
)

test(
  'on a full disk nothing is left, and the container goes on',
  { skip },
  story(async s => {
    const { pod, id } = await runCounter(s)
    const small = join(s.scratch.dir, 'small')
    await mkdir(small)
    await mustRun(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'small', small])
    try {
      const location = join(small, 'a.tar')
      await assert.rejects(checkpoint(s, id, { location }), { code: grpcCode.resourceExhausted })
      assert.deepEqual(await readdir(small), [])
      await goesOn(s, pod)
      await mustRun(['mount', '-o', 'remount,size=64m', small])
      await checkpoint(s, id, { location })
      assert.deepEqual(await readdir(small), ['a.tar'])
    } finally {
      await mustRun(['umount', small])
    }
  }),
)

test(
  'when the time is up the container goes on, and nothing is left',
  { skip },
  story(async s => {
    const { pod, id } = await runCounter(s, 'hanging')
    const begin = performance.now()
    await assert.rejects(checkpoint(s, id, { location: join(s.scratch.dir, 'late.tar'), seconds: 1 }), {
      code: grpcCode.deadlineExceeded,
    })
    assert.ok(performance.now() - begin < 10_000, 'it took too long')
    await goesOn(s, pod)
  }),
)

test(
  'when the caller gives up the container goes on, and nothing is left',
  { skip },
  story(async s => {
    const { pod, id } = await runCounter(s, 'hanging')
    const request = { containerId: id, location: join(s.scratch.dir, 'left.tar') }
    await assert.rejects(s.cri.client.call(rpc.CheckpointContainer, request, { timeoutMs: 500 }), {
      code: grpcCode.deadlineExceeded,
    })
    await goesOn(s, pod)
    const outputPath = join(s.scratch.dir, 'left')
    await mkdir(outputPath)
    await assert.rejects(
      s.cri.client.call(
        rpc.CheckpointPod,
        { podSandboxId: pod.id, outputPath, containerIds: [id] },
        { timeoutMs: 500 },
      ),
      { code: grpcCode.deadlineExceeded },
    )
    await goesOn(s, pod)
    await eventually('the directory is empty', async () => (await readdir(outputPath)).length === 0)
  }),
)

test(
  'when the daemon is killed in a checkpoint the next one lets the container go on, and nothing is left',
  { skip },
  story(async s => {
    const { pod, id } = await runCounter(s, 'hanging')
    const location = join(s.scratch.dir, 'killed.tar')
    const outcome = checkpoint(s, id, { location }).catch((err: unknown) => err)
    await eventually('it is paused', async () => {
      const state = await mustRun(['runc', '--root', join(s.scratch.stateDir, 'runtime'), 'state', id])
      return (JSON.parse(state) as { status: string }).status === 'paused'
    })
    await s.daemon.kill()
    assert.ok((await outcome) instanceof Error)
    await s.daemon.start()
    await goesOn(s, pod)
    assert.deepEqual(await readdir(join(s.scratch.rootDir, 'checkpoints')), [])
    assert.equal((await readdir(s.scratch.dir)).filter(name => name.includes('.partial')).length, 0)
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
  }),
)

test(
  'at whatever moment of a capture the daemon is killed, the container goes on',
  { skip },
  story(async s => {
    const pod = await s.runPod()
    const shell =
      'dd if=/dev/zero of=/dev/null bs=200M count=100000 2>/dev/null & ' +
      'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'
    const id = await s.run(pod, { shell })
    for (const moment of [40, 120, 200, 280]) {
      await goesOn(s, pod)
      const location = join(s.scratch.dir, `killed-${String(moment)}.tar`)
      const outcome = checkpoint(s, id, { location }).catch((err: unknown) => err)
      await delay(moment)
      await s.daemon.kill()
      await outcome
      await s.daemon.start()
      await goesOn(s, pod)
      await s.exec(id, 'pidof', 'dd')
      assert.deepEqual(await readdir(join(s.scratch.rootDir, 'checkpoints')), [])
      assert.equal((await readdir(s.scratch.dir)).filter(name => name.includes('.partial')).length, 0)
    }
    const numbers = (await readLogText(s.logPath(pod))).map(Number)
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    )
    await checkpoint(s, id, { location: join(s.scratch.dir, 'at-last.tar') })
  }),
)
