import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RuntimeError } from '#base/errors'
import { createIds, type PodId, parsePodId } from '#base/ids'
import { createKeyedLock } from '#base/locks'
import { silentLog } from '#base/log'
import type { Pod } from '../model/pod.ts'
import { noPlugins } from '../plugins/no-plugins.ts'
import { createNetworkJanitor } from '../pods/network-janitor.ts'
import type { PauseCgroup, PodDeps } from '../pods/pod-deps.ts'
import { forgetNetwork } from '../pods/teardown-pod.ts'
import { createMakeOnce } from '../state/make-once.ts'
import { createNames } from '../state/names.ts'
import { createPaths } from '../state/paths.ts'
import { createTable } from '../state/table.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { createFakeHost, type FakeHost } from './fake-host.ts'
import { createFakeNetwork, type FakeNetwork } from './fake-network.ts'
import { createMemoryRecords, type MemoryRecords } from './memory-records.ts'

/** Everything the pod operations need: host, network and records faked, files in a temporary directory. */
export interface PodBench {
  readonly deps: PodDeps
  readonly host: FakeHost
  readonly network: FakeNetwork
  readonly clock: FakeClock
  readonly records: MemoryRecords<Pod>
  /** What was asked of the containers of pods. */
  readonly containerCalls: string[]
  /** What is left anywhere, in words; empty when nothing is. */
  leftovers(): Promise<readonly string[]>
  close(): Promise<void>
}

/** Refuses one parent. */
const fakePauseCgroup: PauseCgroup = {
  directories(pod) {
    if (pod.config.cgroupParent === '/not a parent') {
      throw new RuntimeError('invalid-argument', 'cgroup_parent "/not a parent" cannot be one')
    }
    return [`/cgroup/${pod.id}`]
  },
  make: pod => Promise.resolve([`/cgroup/${pod.id}`]),
}

export async function createPodBench(): Promise<PodBench> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-pods-'))
  const paths = createPaths({ rootDir: join(directory, 'root'), stateDir: join(directory, 'state') })
  const host = createFakeHost()
  const network = createFakeNetwork()
  const clock = createFakeClock()
  const records = createMemoryRecords<Pod>()
  const table = createTable('pod sandbox', records)
  const containerCalls: string[] = []
  const locks = createKeyedLock()
  const janitor = createNetworkJanitor({
    network,
    onReleased: (ctx, id) => forgetNetwork({ paths, host, table, locks }, ctx, parsePodId(id)),
    clock,
    log: silentLog,
  })
  const deps: PodDeps = {
    table,
    names: createNames('pod sandbox', id => table.get(id)?.phase ?? ''),
    locks,
    makeOnce: createMakeOnce<PodId>({ what: 'pod sandbox', stageOf: id => table.get(id)?.stage ?? '' }),
    host,
    network,
    janitor,
    paths,
    pauseProgram: '/lighter-pause',
    pauseCgroup: fakePauseCgroup,
    resolvConf: () => Promise.resolve('nameserver 10.0.0.1\n'),
    hasRuntimeHandler: name => name === '',
    userNamespaces: { problem: () => Promise.resolve('') },
    requireRuntimeHandler: () => Promise.resolve(),
    newSelinuxLevel: () => undefined,
    containers: {
      killAll: () => Promise.resolve(void containerCalls.push('kill all')),
      removeAll: () => Promise.resolve(void containerCalls.push('remove all')),
    },
    plugins: noPlugins,
    clock,
    ids: createIds(),
    log: silentLog,
  }
  return {
    deps,
    host,
    network,
    clock,
    records,
    containerCalls,
    async leftovers() {
      const directories = await readdir(paths.pods).catch(() => [])
      return [
        ...host.mounts.map(mount => `mount ${mount}`),
        ...[...host.processes.keys()].map(pid => `process ${pid}`),
        ...network.attachedIds().map(id => `network ${id}`),
        ...table.all().map(pod => `pod ${pod.id}`),
        ...[...records.written.keys()].map(id => `record ${id}`),
        ...directories.map(name => `directory ${name}`),
      ]
    },
    async close() {
      await janitor.stop()
      await rm(directory, { recursive: true })
    },
  }
}
