import assert from 'node:assert/strict'
import { readdir, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { int64, podConfig } from '../harness/configs.ts'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { eventually } from '../harness/eventually.ts'
import { useWorld } from '../harness/world.ts'
import { number } from '../harness/wrapped-number.ts'

const story = useWorld()
const noCrictl = await whyNoCrictl()

const mebibyte = 1024 * 1024
const burner = 'while :; do :; done'

async function hasPressure(): Promise<boolean> {
  return (await readFile('/proc/pressure/cpu', 'utf8').catch(() => '')) !== ''
}

test(
  'a busy container shows its CPU time, its rate and its pressure',
  story(async s => {
    const id = await s.run(await s.runPod(), { shell: burner })
    const cpu = await eventually('the container has burnt half a second', async () => {
      const { stats } = await s.cri.client.call(rpc.ContainerStats, { containerId: id })
      const hasRun = (number(stats?.cpu?.usageCoreNanoSeconds) ?? 0) > 500_000_000
      return hasRun && stats?.cpu?.usageNanoCores ? stats.cpu : undefined
    })
    const rate = number(cpu.usageNanoCores) ?? 0
    assert.ok(rate > 10_000_000 && rate < 8_000_000_000, String(rate))
    assert.equal(Boolean(cpu.psi?.Some), await hasPressure())
  }),
)

test(
  'memory that is held is in the working set, and the limit says what is left',
  story(async s => {
    const id = await s.run(await s.runPod(), {
      shell: 'head -c 20000000 /dev/zero > /dev/shm/held; echo ready; exec sleep 1000',
      resources: { memoryLimitInBytes: int64(128 * mebibyte) },
    })
    const memory = await eventually('20 MB are held', async () => {
      const { stats } = await s.cri.client.call(rpc.ListContainerStats, { filter: { id } })
      const found = stats[0]?.memory
      return found && (number(found.workingSetBytes) ?? 0) > 20_000_000 ? found : undefined
    })
    const [workingSet = 0, available = 0] = [number(memory.workingSetBytes), number(memory.availableBytes)]
    assert.equal(workingSet + available, 128 * mebibyte)
    assert.ok((number(memory.pageFaults) ?? 0) > 0)
  }),
)

test(
  'containers that were not started are listed with zeros, exited ones are not',
  story(async s => {
    const pod = await s.runPod()
    const created = await s.create(pod, { name: 'created' })
    const exited = await s.run(pod, { name: 'exited', shell: 'exit 0' })
    await eventually('it has exited', async () => {
      const { stats } = await s.cri.client.call(rpc.ListContainerStats, { filter: { podSandboxId: pod.id } })
      return stats.length === 1 ? stats : undefined
    })
    const { stats } = await s.cri.client.call(rpc.ListContainerStats, {})
    assert.deepEqual(
      stats.map(found => found.attributes?.id),
      [created],
    )
    assert.equal(number(stats[0]?.memory?.usageBytes), 0)
    assert.ok(Number(stats[0]?.memory?.timestamp?.toString()) > 0)
    const one = await s.cri.client.call(rpc.ContainerStats, { containerId: exited })
    assert.equal(number(one.stats?.cpu?.usageCoreNanoSeconds), 0)
  }),
)

test(
  'a pod shows its traffic, its processes and its containers',
  story(async s => {
    const pod = await s.runPod()
    const stats = async () => {
      const answer = await s.cri.client.call(rpc.PodSandboxStats, { podSandboxId: pod.id })
      return answer.stats?.linux
    }
    const empty = await stats()
    assert.equal(empty?.network?.defaultInterface?.name, 'eth0')
    assert.equal(number(empty.process?.processCount), 0)
    const id = await s.run(pod, { shell: 'sleep 1000 & sleep 1000 & wait' })
    const idle = await eventually('both sleepers are there', async () => {
      const found = await stats()
      return found && number(found.process?.processCount) === 3 ? found : undefined
    })
    assert.deepEqual(
      idle.containers?.map(found => found.attributes?.id),
      [id],
    )
    assert.ok((number(idle.memory?.workingSetBytes) ?? 0) > 0)
    const sent = number(idle.network?.defaultInterface?.txBytes) ?? 0
    const gateway = `${s.scratch.subnet}.1`
    await s.exec(id, 'sh', '-c', `ping -c 3 -i 0.2 -s 1000 -W 1 ${gateway} || true`)
    await eventually('three pings more have been sent', async () => {
      const tx = number((await stats())?.network?.defaultInterface?.txBytes) ?? 0
      return tx >= sent + 3000 ? tx : undefined
    })
  }),
)

test(
  'a pod with a cgroup of its own has the pressure and the memory of that',
  story(async s => {
    const config = podConfig(s.scratch)
    const cgroupParent = `${s.scratch.cgroupParent}/pod${config.metadata?.uid ?? ''}`
    const id = await s.cri.runPod({ ...config, linux: { ...config.linux, cgroupParent } })
    const container = await s.run({ id, config }, { shell: burner })
    try {
      const linux = await eventually('the pod has used the CPU', async () => {
        const { stats } = await s.cri.client.call(rpc.ListPodSandboxStats, { filter: { id } })
        const found = stats[0]?.linux
        return found && (number(found.cpu?.usageCoreNanoSeconds) ?? 0) > 100_000_000 ? found : undefined
      })
      const [inner] = linux.containers ?? []
      assert.equal(inner?.attributes?.id, container)
      assert.ok((number(linux.memory?.usageBytes) ?? 0) > 0)
      assert.equal(Boolean(linux.io?.psi), await hasPressure())
    } finally {
      await s.cri.removePod(id)
      await removeCgroup(cgroupParent)
    }
  }),
)

/** The kubelet would do it: it made the cgroup. */
async function removeCgroup(path: string): Promise<void> {
  const root = '/sys/fs/cgroup'
  for (const directory of [root, ...(await readdir(root)).map(name => join(root, name))]) {
    await rmdir(join(directory, path)).catch(() => undefined)
  }
}

test(
  'crictl shows the stats of containers and pods',
  { skip: noCrictl },
  story(async s => {
    const crictl = await createCrictl(s.scratch)
    const pod = await s.runPod({ name: 'watched' })
    const id = await s.run(pod, { shell: burner })
    await eventually('crictl stats has a line of the container', async () =>
      new RegExp(`^${id.slice(0, 13)} .*MB|^${id.slice(0, 13)} .*kB`, 'm').test(
        await crictl('stats', '--seconds', '1'),
      ),
    )
    assert.match(await crictl('statsp', '--seconds', '1'), /^watched +\w{13} +\d+\.\d\d +\S+B$/m)
    const json = await crictl('statsp', '-o', 'json', pod.id)
    for (const part of [
      '"eth0"',
      '"processCount"',
      '"usageNanoCores"',
      '"workingSetBytes"',
      '"containers"',
    ]) {
      assert.ok(json.includes(part), part)
    }
  }),
)
