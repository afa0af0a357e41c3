import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'
import type { Spec } from '#engine/oci/spec/types'
import type { ContainerChange, PluginHost, Plugins } from '#engine/plugins/plugins'
import { sampleContainer, sampleContainerConfig, samplePod } from '#engine/testing/samples'
import type { NriConfig } from '../config.ts'
import { createNri } from '../create-nri.ts'

export const testCtx: Ctx = { signal: new AbortController().signal, log: silentLog }

/** An engine without anything behind it: what a test puts into its lists is there. */
export interface FakePluginHost extends PluginHost {
  readonly podList: Pod[]
  readonly containerList: Container[]
  readonly changes: ContainerChange[]
  readonly evicted: Container[]
}

export function createFakePluginHost(): FakePluginHost {
  const podList: Pod[] = []
  const containerList: Container[] = []
  const changes: ContainerChange[] = []
  const evicted: Container[] = []
  return {
    podList,
    containerList,
    changes,
    evicted,
    pods: () => podList.filter(({ phase }) => phase !== 'creating'),
    containers: () => containerList.filter(({ phase }) => phase !== 'creating'),
    pod: id => podList.find(pod => pod.id === id),
    container: id => containerList.find(container => container.id === id),
    namespaces: () => [{ type: 'network', path: '/nowhere/net' }],
    spec: id =>
      Promise.resolve(containerList.some(container => container.id === id) ? sampleSpec : undefined),
    updateContainer: (_ctx, change) => Promise.resolve(void changes.push(change)),
    evict: (_ctx, container) => Promise.resolve(void evicted.push(container)),
    launch: () => Promise.reject(new RuntimeError('unavailable', 'nothing is started in this test')),
    kill: () => Promise.resolve(false),
  }
}

export const sampleSpec: Spec = {
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    args: ['sleep', '60'],
    env: ['PATH=/bin', 'LANG=C'],
    cwd: '/',
    capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
    noNewPrivileges: true,
    oomScoreAdj: 1000,
  },
  root: { path: '/rootfs', readonly: false },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: [] },
    { destination: '/etc/hosts', type: 'bind', source: '/hosts', options: ['rbind'] },
  ],
  annotations: { kept: 'yes' },
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'network', path: '/pins/net' }],
    cgroupsPath: '/lighter/one',
    resources: { devices: [{ allow: false, access: 'rwm' }], memory: { limit: 1_000_000 } },
    devices: [],
    maskedPaths: [],
    readonlyPaths: [],
  },
}

export interface NriBench {
  readonly nri: Plugins
  readonly host: FakePluginHost
  readonly socketPath: string
  readonly pod: Pod
  /** Adds a container of the pod to the lists. */
  addContainer(name: string, changes?: Partial<Container>): Container
}

/** NRI on a socket of its own; stopped when the test ends. */
export async function startNriBench(t: TestContext, config: Partial<NriConfig> = {}): Promise<NriBench> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-nri-'))
  const host = createFakePluginHost()
  const socketPath = join(directory, 'run/nri.sock')
  const nri = createNri({
    config: {
      enabled: true,
      socketPath,
      pluginDir: join(directory, 'plugins'),
      configDir: join(directory, 'conf.d'),
      registrationTimeoutMs: 2_000,
      requestTimeoutMs: 1_000,
      disableExternalConnections: false,
      ...config,
    },
    stateDir: directory,
    version: '0.0.1',
    log: silentLog,
  })
  t.after(async () => {
    await nri.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await nri.start(testCtx, host)
  const pod = samplePod()
  host.podList.push(pod)
  return {
    nri,
    host,
    socketPath,
    pod,
    addContainer(name, changes = {}) {
      const config = sampleContainerConfig({ metadata: { name, attempt: 0 } })
      const container = sampleContainer({ podId: pod.id, config, ...changes })
      host.containerList.push(container)
      return container
    },
  }
}
