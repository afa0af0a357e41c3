import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scratch } from '../harness/scratch.ts'
import { kubeBinary } from './binaries.ts'
import { insecureGet } from './https.ts'
import { assertRuns, type Service, startService } from './service.ts'
import { until } from './until.ts'

/** A real kubelet on a world's node. Whoever starts it stops it. */
export interface Kubelet {
  readonly service: Service
  /** `https://127.0.0.1:PORT`: its own API, open to everybody. */
  readonly url: string
  /** Where it takes static pods from. */
  readonly manifestDir: string
  readonly podLogsDir: string
}

export interface KubeletOptions {
  /** More keys of its configuration, and others' values. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly flags?: readonly string[]
  /** Own port; default: the same for each start on this node. */
  readonly port: number
}

const startTimeoutMs = 60_000

/** Starts it against the world's lighterd and waits until it answers. */
export async function startKubelet(scratch: Scratch, options: KubeletOptions): Promise<Kubelet> {
  const dir = kubeletDir(scratch)
  const manifestDir = join(dir, 'manifests')
  const podLogsDir = join(dir, 'logs')
  for (const path of [manifestDir, podLogsDir]) await mkdir(path, { recursive: true })
  const configPath = join(dir, 'config.json')
  const config = {
    ...usualConfig(scratch),
    staticPodPath: manifestDir,
    podLogsDir,
    volumePluginDir: join(dir, 'plugins'),
    port: options.port,
    ...options.config,
  }
  await writeFile(configPath, JSON.stringify(config, null, 2))
  const argv = [
    kubeBinary('kubelet'),
    ...['--config', configPath],
    ...['--root-dir', join(dir, 'root')],
    ...['--cert-dir', join(dir, 'pki')],
    ...['--hostname-override', nodeName],
    ...(options.flags ?? []),
  ] as const
  const service = await startService([...argv], { name: 'kubelet', logPath: join(dir, 'kubelet.log') })
  const url = `https://127.0.0.1:${String(options.port)}`
  try {
    await until('the kubelet answers', {
      ask: async () => {
        await assertRuns(service)
        return (await insecureGet(`${url}/healthz`)).status
      },
      accept: status => status === 200,
      timeoutMs: startTimeoutMs,
    })
  } catch (err) {
    await service.stop()
    throw err
  }
  return { service, url, manifestDir, podLogsDir }
}

export const nodeName = 'node-1'

export function kubeletDir(scratch: Scratch): string {
  return join(scratch.dir, 'kubelet')
}

/** What all our kubelets have: directories and cgroups of the world, and no wish to change the machine. */
function usualConfig(scratch: Scratch): Readonly<Record<string, unknown>> {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    containerRuntimeEndpoint: `unix://${scratch.socketPath}`,
    cgroupRoot: scratch.cgroupParent,
    enforceNodeAllocatable: [],
    makeIPTablesUtilChains: false,
    address: '0.0.0.0',
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    healthzPort: 0,
    fileCheckFrequency: '1s',
    syncFrequency: '10s',
    containerLogMaxSize: '64Ki',
    containerLogMaxFiles: 3,
    containerLogMonitorInterval: '3s',
    evictionHard: {},
    nodeStatusUpdateFrequency: '2s',
    nodeStatusReportFrequency: '10s',
    crashLoopBackOff: { maxContainerRestartPeriod: '2s' },
    logging: { verbosity: 4 },
  }
}
