import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { pathExists } from '#base/files'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { int64 } from '../harness/configs.ts'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { fails } from '../harness/expect.ts'
import { exited } from '../harness/states.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

const story = useWorld()
const mebibyte = 1024 * 1024

interface Limits {
  readonly cpuPeriod?: number
  readonly cpuQuota?: number
  readonly cpuShares?: number
  readonly memory?: number
  readonly cpusetCpus?: string
}

async function update(s: Story, containerId: string, limits: Limits): Promise<void> {
  const linux = {
    cpuPeriod: int64(limits.cpuPeriod ?? 0),
    cpuQuota: int64(limits.cpuQuota ?? 0),
    cpuShares: int64(limits.cpuShares ?? 0),
    memoryLimitInBytes: int64(limits.memory ?? 0),
    cpusetCpus: limits.cpusetCpus ?? '',
  }
  await s.cri.client.call(rpc.UpdateContainerResources, { containerId, linux })
}

/** Content of a file of the container's cgroup; on v2 all controllers are in one directory. */
async function cgroupFile(
  container: { readonly pod: TestPod; readonly id: string },
  names: { readonly controller: string; readonly v1: string; readonly v2: string },
): Promise<string> {
  const parent = container.pod.config.linux?.cgroupParent ?? ''
  const legacy = join('/sys/fs/cgroup', names.controller, parent, container.id, names.v1)
  const unified = join('/sys/fs/cgroup', parent, container.id, names.v2)
  const text = await readFile(legacy, 'utf8').catch(() => readFile(unified, 'utf8'))
  return text.trim()
}

async function isCgroupV1(): Promise<boolean> {
  return pathExists('/sys/fs/cgroup/memory/memory.limit_in_bytes')
}

const memoryFile = { controller: 'memory', v1: 'memory.limit_in_bytes', v2: 'memory.max' }
const quotaFile = { controller: 'cpu', v1: 'cpu.cfs_quota_us', v2: 'cpu.max' }
const cpusetFile = { controller: 'cpuset', v1: 'cpuset.cpus', v2: 'cpuset.cpus' }

async function reported(s: Story, id: string): Promise<Limits> {
  const linux = (await s.cri.containerStatus(id)).resources?.linux
  return {
    cpuPeriod: Number(linux?.cpuPeriod ?? 0),
    cpuQuota: Number(linux?.cpuQuota ?? 0),
    cpuShares: Number(linux?.cpuShares ?? 0),
    memory: Number(linux?.memoryLimitInBytes ?? 0),
    cpusetCpus: linux?.cpusetCpus ?? '',
  }
}

const initial = {
  cpuPeriod: int64(100_000),
  cpuQuota: int64(50_000),
  cpuShares: int64(512),
  memoryLimitInBytes: int64(64 * mebibyte),
}

test(
  'a running container gets other limits, what is left out stays, and a restarted daemon still reports them',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { resources: initial })
    await update(s, id, { memory: 96 * mebibyte })
    assert.equal(await cgroupFile({ pod, id }, memoryFile), String(96 * mebibyte))
    await update(s, id, { memory: 32 * mebibyte })
    assert.equal(await cgroupFile({ pod, id }, memoryFile), String(32 * mebibyte))
    assert.match(await cgroupFile({ pod, id }, quotaFile), /^50000/)
    await update(s, id, { cpusetCpus: '0' })
    assert.equal(await cgroupFile({ pod, id }, cpusetFile), '0')
    assert.equal(await cgroupFile({ pod, id }, memoryFile), String(32 * mebibyte))
    await update(s, id, { cpuQuota: -1 })
    assert.match(await cgroupFile({ pod, id }, quotaFile), /^(-1|max)/)
    const now = {
      cpuPeriod: 100_000,
      cpuQuota: -1,
      cpuShares: 512,
      memory: 32 * mebibyte,
      cpusetCpus: '0',
    }
    assert.deepEqual(await reported(s, id), now)
    await s.daemon.kill()
    await s.daemon.start()
    assert.deepEqual(await reported(s, id), now)
    assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
  }),
)

test(
  'a created container starts with the limits that it was given afterwards',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.create(pod, { resources: initial })
    await update(s, id, { memory: 48 * mebibyte, cpuQuota: 25_000 })
    assert.equal((await reported(s, id)).memory, 48 * mebibyte)
    await s.cri.startContainer(id)
    assert.equal(await cgroupFile({ pod, id }, memoryFile), String(48 * mebibyte))
    assert.match(await cgroupFile({ pod, id }, quotaFile), /^25000/)
  }),
)

test(
  'limits that cannot be are an error and change nothing',
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, {
      resources: initial,
      shell: 'head -c 20000000 /dev/zero | tail & wait; while :; do sleep 1000; done',
    })
    await fails(update(s, id, { cpusetCpus: '4000' }), 'failedPrecondition', /resources of container/)
    await fails(update(s, id, { cpusetCpus: 'two' }), 'invalidArgument', /cpuset_cpus/)
    await fails(update(s, id, { cpuQuota: -7 }), 'invalidArgument', /cpu_quota/)
    assert.equal((await reported(s, id)).memory, 64 * mebibyte)
    assert.equal((await reported(s, id)).cpusetCpus, '')
    assert.equal(await cgroupFile({ pod, id }, memoryFile), String(64 * mebibyte))
    await fails(update(s, 'f'.repeat(64), { memory: mebibyte }), 'notFound', /not found/)
    await s.cri.stopContainer(id)
    await exited(s.cri, id)
    await fails(update(s, id, { memory: 96 * mebibyte }), 'failedPrecondition', /exited/)
  }),
)

test(
  "a memory limit below what is in use is the kernel's to refuse, and what was in force stays so",
  { skip: (await isCgroupV1()) ? false : 'machine cannot: cgroup v2 takes such a limit, and kills' },
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { resources: initial })
    await s.exec(id, 'dd', 'if=/dev/zero', 'of=/dev/shm/x', 'bs=1M', 'count=24')
    await fails(
      update(s, id, { memory: 8 * mebibyte, cpuShares: 300 }),
      'failedPrecondition',
      /resources of container .*(busy|usage)/,
    )
    assert.equal(await cgroupFile({ pod, id }, memoryFile), String(64 * mebibyte))
    const { memory, cpuShares } = await reported(s, id)
    assert.deepEqual([memory, cpuShares], [64 * mebibyte, 512])
  }),
)

test(
  'crictl update changes a container',
  { skip: await whyNoCrictl() },
  story(async s => {
    const pod = await s.runPod()
    const id = await s.run(pod, { resources: initial })
    const crictl = await createCrictl(s.scratch)
    await crictl('update', '--memory', String(80 * mebibyte), '--cpu-share', '256', id)
    assert.equal((await reported(s, id)).memory, 80 * mebibyte)
    assert.equal((await reported(s, id)).cpuShares, 256)
  }),
)

test(
  'the resources of a pod are noted, also for the next daemon',
  story(async s => {
    const pod = await s.runPod()
    await s.cri.client.call(rpc.UpdatePodSandboxResources, {
      podSandboxId: pod.id,
      resources: { memoryLimitInBytes: int64(256 * mebibyte) },
    })
    await s.daemon.kill()
    await s.daemon.start()
    const { info } = await s.cri.client.call(rpc.PodSandboxStatus, { podSandboxId: pod.id, verbose: true })
    const { config } = JSON.parse(info['info'] ?? '') as {
      config: { resources: { memoryLimitBytes: number } }
    }
    assert.equal(config.resources.memoryLimitBytes, 256 * mebibyte)
    const unknown = s.cri.client.call(rpc.UpdatePodSandboxResources, { podSandboxId: 'f'.repeat(64) })
    await fails(unknown, 'notFound', /not found/)
  }),
)
