import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import { type ContainerConfig, containerState, podConfig } from '../harness/configs.ts'
import { criuConfig, whyNoCriu } from '../harness/criu.ts'
import { eventually } from '../harness/eventually.ts'
import { readLogText } from '../harness/pod-log.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

const skip = await whyNoCriu()
const story = useWorld({ config: criuConfig })

const shell = 'i=0; while :; do i=$((i+1)); echo "$i $(hostname)"; sleep 0.1; done'
const names = ['front', 'back'] as const

interface Counters {
  readonly pod: TestPod
  readonly ids: readonly string[]
}

async function runCounters(s: Story): Promise<Counters> {
  const pod = await s.runPod()
  const ids = await Promise.all(names.map(name => s.run(pod, { name, shell })))
  for (const name of names) await countedTo(s, pod, { name, least: 3 })
  return { pod, ids }
}

function countedTo(
  s: Story,
  pod: TestPod,
  { name, least }: { readonly name: string; readonly least: number },
): Promise<readonly string[]> {
  return eventually(`${name} counts to ${String(least)}`, async () => {
    const lines = await readLogText(s.logPath(pod, name))
    return Number(lines.at(-1)?.split(' ')[0]) >= least && lines
  })
}

async function checkpoint(s: Story, { pod, ids }: Counters, options = {}): Promise<string> {
  const outputPath = await emptyDirectory(s)
  await s.cri.client.call(rpc.CheckpointPod, {
    podSandboxId: pod.id,
    outputPath,
    containerIds: [...ids],
    options,
  })
  return outputPath
}

async function emptyDirectory(s: Story): Promise<string> {
  const path = join(s.scratch.dir, `checkpoint-${String(Date.now())}`)
  await mkdir(path, { recursive: true })
  return path
}

function restore(
  s: Story,
  checkpointPath: string,
  { configs, options = {} }: { readonly configs: readonly ContainerConfig[]; readonly options?: object },
): ReturnType<typeof callRestore> {
  return callRestore(s, { checkpointPath, configs, options, config: podConfig(s.scratch) })
}

async function callRestore(
  s: Story,
  input: {
    readonly checkpointPath: string
    readonly configs: readonly ContainerConfig[]
    readonly options: object
    readonly config: TestPod['config']
  },
) {
  const { podSandboxId, restoredContainers } = await s.cri.client.call(rpc.RestorePod, {
    checkpointPath: input.checkpointPath,
    config: input.config,
    containerConfigs: [...input.configs],
    options: { ...input.options },
  })
  const containers = restoredContainers.map(({ name, containerId }) => ({
    name: name ?? '',
    containerId: containerId ?? '',
  }))
  return { pod: { id: podSandboxId, config: input.config }, containers }
}

test(
  'a pod of two counters is checkpointed, and restored beside the first one',
  { skip },
  story(async s => {
    const counters = await runCounters(s)
    const directory = await checkpoint(s, counters)
    assert.deepEqual(
      (await readdir(directory)).sort(),
      [...counters.ids.map(id => `${id}.tar`), 'pod.dump', 'pod.options'].sort(),
    )
    for (const name of names) {
      const { length } = await readLogText(s.logPath(counters.pod, name))
      await countedTo(s, counters.pod, { name, least: length + 3 })
    }

    const configs = names.map(name => s.container({ name, shell }))
    const { pod, containers } = await restore(s, directory, { configs })
    assert.deepEqual(containers.map(({ name }) => name).sort(), [...names].sort())
    for (const { containerId } of containers) {
      const { state, startedAt } = await s.cri.containerStatus(containerId)
      assert.equal(state, containerState.CONTAINER_CREATED)
      assert.equal(Number(startedAt), 0)
    }
    await Promise.all(containers.map(({ containerId }) => s.cri.startContainer(containerId)))
    for (const { name, containerId } of containers) {
      const [first = ''] = await countedTo(s, pod, { name, least: 8 })
      const [count, hostname] = first.split(' ')
      assert.ok(Number(count) > 3, `${name} began anew: ${first}`)
      assert.equal(hostname, pod.config.hostname)
      assert.equal(await s.exec(containerId, 'hostname'), pod.config.hostname)
    }
    assert.equal(await s.exec(counters.ids[0] ?? '', 'hostname'), counters.pod.config.hostname)
  }),
)

test(
  'a checkpoint of a pod that asks for too much leaves an empty directory and containers that go on',
  { skip },
  story(async s => {
    const counters = await runCounters(s)
    const { pod, ids } = counters
    const stranger = await s.run(await s.runPod())
    const created = await s.create(pod, { name: 'created' })
    const cases: readonly [Counters, object, number][] = [
      [{ pod, ids: [] }, {}, grpcCode.invalidArgument],
      [{ pod, ids: [...ids, ids[0] ?? ''] }, {}, grpcCode.invalidArgument],
      [{ pod, ids: [...ids, stranger] }, {}, grpcCode.invalidArgument],
      [{ pod, ids: [...ids, 'f'.repeat(64)] }, {}, grpcCode.notFound],
      [{ pod, ids: [...ids, created] }, {}, grpcCode.failedPrecondition],
      [{ pod: { ...pod, id: 'f'.repeat(64) }, ids }, {}, grpcCode.notFound],
      [counters, { 'example.org/compress': 'zstd' }, grpcCode.invalidArgument],
    ]
    const outputPath = await emptyDirectory(s)
    for (const [{ pod: which, ids: containerIds }, options, code] of cases) {
      const request = { podSandboxId: which.id, outputPath, containerIds: [...containerIds], options }
      await assert.rejects(s.cri.client.call(rpc.CheckpointPod, { ...request, options: { ...options } }), {
        code,
      })
      assert.deepEqual(await readdir(outputPath), [])
    }
    await writeFile(join(outputPath, 'mine'), '')
    const call = (path: string): Promise<unknown> =>
      s.cri.client.call(rpc.CheckpointPod, { podSandboxId: pod.id, outputPath: path, containerIds: [...ids] })
    await assert.rejects(call(outputPath), { code: grpcCode.failedPrecondition, details: /is not empty/ })
    assert.deepEqual(await readdir(outputPath), ['mine'])
    await assert.rejects(call(`${outputPath}/nowhere`), { code: grpcCode.failedPrecondition })
    await assert.rejects(call('relative'), { code: grpcCode.invalidArgument })
    for (const name of names) {
      const { length } = await readLogText(s.logPath(pod, name))
      await countedTo(s, pod, { name, least: length + 3 })
    }
  }),
)

test(
  'a restore with other containers than those of the checkpoint leaves no pod behind',
  { skip },
  story(async s => {
    const directory = await checkpoint(s, await runCounters(s))
    const before = [await s.cri.listPods(), await s.cri.listContainers()]
    const front = s.container({ name: 'front', shell })
    const back = s.container({ name: 'back', shell })
    const cases: readonly [readonly ContainerConfig[], RegExp][] = [
      [[], /container_configs|has none for/],
      [[front], /has none for "back"/],
      [[front, back, s.container({ name: 'third', shell })], /no container "third"/],
      [[front, front], /there twice/],
      [[front, s.container({ name: 'back', shell: 'another program' })], /command and args/],
      [[front, s.container({ name: 'back', shell, env: { A: 'b' } })], /environment/],
      [[front, s.container({ name: 'back', shell, workingDir: '/tmp' })], /working directory/],
      [
        [front, s.container({ name: 'back', shell, mounts: [{ containerPath: '/v', hostPath: '/tmp' }] })],
        /mount on \/v/,
      ],
      [[front, s.container({ name: 'back', shell, image: s.registry.printer })], /image/],
    ]
    await s.cri.pull(s.registry.printer)
    for (const [configs, details] of cases) {
      await assert.rejects(restore(s, directory, { configs }), { code: grpcCode.invalidArgument, details })
      assert.deepEqual([await s.cri.listPods(), await s.cri.listContainers()], before)
    }
    const options = { 'example.org/x': 'y' }
    await assert.rejects(restore(s, directory, { configs: [front, back], options }), {
      code: grpcCode.invalidArgument,
    })
    await assert.rejects(restore(s, '/nowhere', { configs: [front, back] }), {
      code: grpcCode.invalidArgument,
      details: /not a checkpoint/,
    })
    assert.deepEqual([await s.cri.listPods(), await s.cri.listContainers()], before)
  }),
)
