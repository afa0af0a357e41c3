import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { int64, podConfig } from '../../harness/configs.ts'
import { eventually } from '../../harness/eventually.ts'
import { mustRun } from '../../harness/program.ts'
import { number } from '../../harness/wrapped-number.ts'
import { cgroupOf, cgroupText, type Stories } from './look.ts'
import { property } from './systemd-daemon.ts'

const mebibyte = 1024 * 1024
const initial = {
  cpuPeriod: int64(100_000),
  cpuQuota: int64(50_000),
  cpuShares: int64(512),
  memoryLimitInBytes: int64(64 * mebibyte),
  memorySwapLimitInBytes: int64(64 * mebibyte),
  cpusetCpus: '0',
  unified: { 'pids.max': '40', 'memory.high': String(60 * mebibyte) },
}

/** Limits as they are in the files of the cgroup. */
async function limitsIn(directory: string): Promise<Readonly<Record<string, string>>> {
  const files = [
    'cpu.max',
    'memory.max',
    'memory.swap.max',
    'memory.high',
    'pids.max',
    'cpuset.cpus',
    'cpu.weight',
  ]
  const texts = await Promise.all(files.map(file => cgroupText(directory, file)))
  return Object.fromEntries(files.map((file, index) => [file, texts[index] ?? '']))
}

/** Limits, changes of limits and figures, with either driver. */
export function limitStories(story: Stories, driver: 'systemd' | 'cgroupfs'): void {
  test(
    'limits are those of the cgroup, also after an update and after systemd has read its units again',
    story(async s => {
      const pod = await s.runPod()
      const id = await s.run(pod, { resources: initial })
      const directory = await cgroupOf(s, id)
      const parent = join('/sys/fs/cgroup', pod.config.linux?.cgroupParent ?? '')
      const name = driver === 'systemd' ? `lighter-${id}.scope` : id
      assert.equal(directory, join(parent, name))
      assert.deepEqual(await limitsIn(directory), {
        'cpu.max': '50000 100000',
        'memory.max': String(64 * mebibyte),
        'memory.swap.max': '0',
        'memory.high': String(60 * mebibyte),
        'pids.max': '40',
        'cpuset.cpus': '0',
        'cpu.weight': '20',
      })
      await s.cri.client.call(rpc.UpdateContainerResources, {
        containerId: id,
        linux: {
          cpuQuota: int64(30_000),
          memoryLimitInBytes: int64(96 * mebibyte),
          memorySwapLimitInBytes: int64(112 * mebibyte),
          cpusetCpus: '0-1',
        },
      })
      await mustRun(['systemctl', 'daemon-reload'])
      assert.deepEqual(await limitsIn(directory), {
        'cpu.max': '30000 100000',
        'memory.max': String(96 * mebibyte),
        'memory.swap.max': String(16 * mebibyte),
        'memory.high': String(60 * mebibyte),
        'pids.max': '40',
        'cpuset.cpus': '0-1',
        'cpu.weight': '20',
      })
      if (driver === 'systemd') {
        assert.equal(await property(name, 'MemoryMax'), String(96 * mebibyte))
        assert.equal(await property(name, 'CPUQuotaPerSecUSec'), '300ms')
        assert.equal(await property(name, 'TasksMax'), '40')
      }
      assert.equal(await s.exec(id, 'sh', '-c', 'echo alive'), 'alive')
      const { resources } = await s.cri.containerStatus(id)
      assert.equal(Number(resources?.linux?.memoryLimitInBytes), 96 * mebibyte)
    }),
  )

  test(
    'figures of a container and of its pod are those of cgroup v2, with pressure, swap and traffic',
    story(async s => {
      const config = podConfig(s.scratch)
      const pod = { id: await s.cri.runPod(config), config }
      const id = await s.run(pod, {
        resources: { ...initial, cpusetCpus: '' },
        shell: 'head -c 8000000 /dev/zero > /dev/shm/held; while :; do :; done',
      })
      const stats = await eventually('the container is busy and holds 8 MB', async () => {
        const { stats: found } = await s.cri.client.call(rpc.ContainerStats, { containerId: id })
        const isBusy = (number(found?.cpu?.usageNanoCores) ?? 0) > 10_000_000
        return found && isBusy && (number(found.memory?.workingSetBytes) ?? 0) > 8_000_000 ? found : undefined
      })
      assert.ok(stats.cpu?.psi?.Some && stats.memory?.psi?.Full && stats.io?.psi?.Some, 'pressure')
      assert.equal(number(stats.swap?.swapUsageBytes), 0)
      assert.ok((number(stats.memory.pageFaults) ?? 0) > 0)
      const { stats: podStats } = await s.cri.client.call(rpc.PodSandboxStats, { podSandboxId: pod.id })
      assert.equal(podStats?.linux?.network?.defaultInterface?.name, 'eth0')
      assert.equal(podStats.linux.containers?.[0]?.attributes?.id, id)
      assert.ok((number(podStats.linux.process?.processCount) ?? 0) >= 1)
      const { descriptors } = await s.cri.client.call(rpc.ListMetricDescriptors, {})
      const { podMetrics } = await s.cri.client.call(rpc.ListPodSandboxMetrics, {})
      const all = podMetrics.flatMap(one => [
        ...(one.metrics ?? []),
        ...(one.containerMetrics ?? []).flatMap(container => container.metrics ?? []),
      ])
      const names = new Set(all.map(metric => metric.name ?? ''))
      const absent = descriptors.map(one => one.name ?? '').filter(one => !names.has(one))
      // Only machines with huge pages, or with block devices that the container has used, have these.
      const optional = /^container_(hugetlb|blkio|fs_(reads|writes))_/
      assert.deepEqual(
        absent.filter(one => !optional.test(one)),
        [],
      )
      assert.ok([...names].some(one => one.startsWith('container_pressure_')))
    }),
  )
}
