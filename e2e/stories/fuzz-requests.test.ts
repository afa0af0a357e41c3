import assert from 'node:assert/strict'
import { mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { imageMethods, runtimeMethods } from '../../cri/grpc/methods.ts'
import { fuzzParameters } from '../../cri/grpc/testing/fuzz-parameters.ts'
import { type HostileTexts, hostileRequests } from '../../cri/grpc/testing/hostile-requests.ts'
import { requestSchemas } from '../../cri/grpc/testing/message-schema.ts'
import { type RpcName, rightRequests, type Subjects } from '../../cri/grpc/testing/right-requests.ts'
import { fault } from '../fuzz/judge.ts'
import { rawCall } from '../fuzz/raw-call.ts'
import { sleeper } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { listDirectory } from '../harness/files.ts'
import { projectDir } from '../harness/paths.ts'
import { runProgram } from '../harness/program.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld({
  // No name leads to a registry that is not here.
  prepare: async scratch => {
    const mirrors = join(scratch.certsDir, 'registry.k8s.io', 'hosts.toml')
    await mkdir(join(scratch.certsDir, '_default'), { recursive: true })
    await writeFile(join(scratch.certsDir, '_default', 'hosts.toml'), await readFile(mirrors))
    return []
  },
})
const methods = { ...runtimeMethods, ...imageMethods }
const atOnce = 8
const fewRuns = 30
const manyRuns = 150

/** Those that cost a process or more each. What takes the subjects away comes last. */
const costly: readonly RpcName[] = [
  'ExecSync',
  'PullImage',
  'CreateContainer',
  'RunPodSandbox',
  'UpdateContainerResources',
  'UpdatePodSandboxResources',
  'CheckpointContainer',
  'CheckpointPod',
  'RestorePod',
]
const ending: readonly RpcName[] = [
  'StopContainer',
  'RemoveContainer',
  'StopPodSandbox',
  'RemovePodSandbox',
  'RemoveImage',
]

test(
  'whatever is asked for, every RPC answers, and says what is wrong in a few words',
  story(async s => {
    const { seed } = fuzzParameters(0)
    const { subjects, texts, canary } = await openSubjects(s)
    const schemas = await requestSchemas()
    const before = { pid: s.daemon.pid(), files: await openFiles(s), log: (await s.daemon.log()).length }
    const faults: string[] = []
    for (const name of inOrder()) {
      const schema = schemas.get(name)
      assert.ok(schema, name)
      const requests = hostileRequests(schema, salt => rightRequests(subjects, salt)[name], texts)
      const { numRuns } = fuzzParameters(costly.includes(name) || ending.includes(name) ? fewRuns : manyRuns)
      faults.push(...(await sendAll(s, name, fc.sample(requests, { seed, numRuns }))))
    }
    assert.deepEqual(faults, [], `FUZZ_SEED=${seed}`)
    assert.equal(s.daemon.pid(), before.pid)
    const startedMs = performance.now()
    await s.cri.client.call(runtimeMethods.Version, {}, { timeoutMs: 1_000 })
    assert.ok(performance.now() - startedMs < 1_000)
    const log = (await s.daemon.log()).slice(before.log)
    const bugs = log.split('\n').filter(line => line.includes('unexpectedly'))
    assert.deepEqual(bugs.slice(0, 3), [], `FUZZ_SEED=${seed}`)
    assert.equal(await readFile(canary, 'utf8'), 'untouched')
    for (const id of await s.cri.listPods()) {
      await s.cri.stopPod(id)
      await s.cri.removePod(id)
    }
    // Figures of what is gone are forgotten when somebody asks for figures.
    await s.cri.client.call(runtimeMethods.ListContainerStats, {})
    await eventually('no file is left open', async () => (await openFiles(s)) <= before.files)
    await rm(subjects.directory, { recursive: true })
  }),
)

function inOrder(): readonly RpcName[] {
  const all = Object.keys(methods) as RpcName[]
  const last = [...costly, ...ending]
  return [...all.filter(name => !last.includes(name)), ...last]
}

/** How many descriptors the daemon has; not counted are connections, which their clients close when they like. */
async function openFiles(s: Story): Promise<number> {
  const directory = `/proc/${s.daemon.pid()}/fd`
  const links = await Promise.all(
    (await listDirectory(directory)).map(name => readlink(join(directory, name)).catch(() => '')),
  )
  return links.filter(link => link !== '' && !link.startsWith('socket:')).length
}

/** Answers what was wrong, with what repeats it. */
async function sendAll(s: Story, name: RpcName, requests: readonly Uint8Array[]): Promise<readonly string[]> {
  const faults: string[] = []
  const directories = [s.scratch.rootDir, s.scratch.stateDir, projectDir]
  const queue = requests.values()
  const worker = async (): Promise<void> => {
    for (const request of queue) {
      const outcome = await rawCall(s.cri.client, methods[name], request)
      const what = fault(outcome, request, { directories })
      if (what === undefined) continue
      const bytes = Buffer.from(request).toString('base64')
      faults.push(`${name}: ${what}: ${outcome.details.slice(0, 300)} (code ${outcome.code}): ${bytes}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return faults
}

interface Opened {
  readonly subjects: Subjects
  readonly texts: HostileTexts
  /** A file that paths with ".." in them lead to. */
  readonly canary: string
}

async function openSubjects(s: Story): Promise<Opened> {
  const directory = join(s.scratch.dir, 'fuzz')
  const [canary, fifo] = [join(directory, 'canary'), join(directory, 'fifo')]
  await mkdir(directory)
  await writeFile(canary, 'untouched')
  const made = await runProgram(['mkfifo', fifo])
  assert.equal(made.exitCode, 0, made.stderr)
  const pod = await s.runPod({ name: 'subject', labels: { app: 'web' } })
  const containerId = await s.run(pod, { shell: sleeper, labels: { app: 'web' } })
  const { cgroupParent } = s.scratch
  const around = `${'../'.repeat(12)}${canary.slice(1)}`
  const places = [
    directory,
    fifo,
    `${directory}/new`,
    `${directory}/../fuzz/new`,
    '/dev/null/x',
    'x/y',
    around,
  ]
  return {
    canary,
    subjects: {
      podId: pod.id,
      containerId,
      image: s.registry.busybox,
      directory,
      cgroupParent,
      podName: 'subject',
    },
    texts: {
      texts: [pod.id, containerId, s.registry.busybox, ...places, '/dev/zero', `localhost/${fifo}`],
      only: {
        log_directory: [directory, `${directory}/../fuzz/logs`, '/dev/null/x', canary, 'a\nb', 'relative'],
        host_path: ['/dev/null', ...places],
        cgroup_parent: [
          cgroupParent,
          `${cgroupParent}/sub`,
          `${cgroupParent}/..${cgroupParent}`,
          'a\nb',
          'a:b',
        ],
        location: places,
        output_path: places,
        checkpoint_path: places,
      },
    },
  }
}
