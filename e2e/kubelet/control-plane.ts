import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../harness/http.ts'
import { kubeBinary } from './binaries.ts'
import { insecureGet } from './https.ts'
import { createPki, type Pki } from './pki.ts'
import { assertRuns, type Service, startService } from './service.ts'
import { until } from './until.ts'

/** etcd, API server, controller manager and scheduler on loopback. */
export interface ControlPlane {
  readonly pki: Pki
  stop(): Promise<void>
}

const serviceRange = '10.96.0.0/16'
const startTimeoutMs = 90_000

/** Keeps everything below `dir`; resolves when the API server is ready. */
export async function startControlPlane(dir: string): Promise<ControlPlane> {
  await mkdir(dir, { recursive: true })
  const ports = await Promise.all(Array.from({ length: 5 }, freePort))
  const [etcdPort = 0, peerPort = 0, apiPort = 0, managerPort = 0, schedulerPort = 0] = ports
  const services: Service[] = []
  const start = async (
    name: Parameters<typeof kubeBinary>[0],
    flags: readonly string[],
  ): Promise<Service> => {
    const options = { name, logPath: join(dir, `${name}.log`) }
    const service = await startService([kubeBinary(name), ...flags], options)
    services.unshift(service)
    return service
  }
  const stop = async (): Promise<void> => {
    for (const service of services) await service.stop()
  }
  try {
    const url = `https://127.0.0.1:${String(apiPort)}`
    const pki = await createPki(join(dir, 'pki'), url)
    await start('etcd', etcdFlags(join(dir, 'etcd'), { etcdPort, peerPort }))
    const apiserver = await start('kube-apiserver', apiserverFlags(dir, { pki, etcdPort, apiPort }))
    await untilReady(apiserver, url)
    const client = ['--kubeconfig', pki.adminKubeconfig, '--leader-elect=false', '--bind-address=127.0.0.1']
    await start('kube-controller-manager', [
      ...client,
      `--secure-port=${String(managerPort)}`,
      `--service-account-private-key-file=${pki.serviceAccountKey}`,
      `--root-ca-file=${pki.ca}`,
      '--use-service-account-credentials',
    ])
    await start('kube-scheduler', [...client, `--secure-port=${String(schedulerPort)}`])
    return { pki, stop }
  } catch (err) {
    await stop()
    throw err
  }
}

async function untilReady(apiserver: Service, url: string): Promise<void> {
  await until('the API server is ready', {
    ask: async () => {
      await assertRuns(apiserver)
      return insecureGet(`${url}/readyz`)
    },
    accept: ({ status }) => status === 200,
    timeoutMs: startTimeoutMs,
  })
}

function etcdFlags(
  dataDir: string,
  { etcdPort, peerPort }: { readonly etcdPort: number; readonly peerPort: number },
): readonly string[] {
  const client = `http://127.0.0.1:${String(etcdPort)}`
  const peer = `http://127.0.0.1:${String(peerPort)}`
  return [
    ...['--data-dir', dataDir, '--log-level', 'warn', '--unsafe-no-fsync'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `default=${peer}`],
  ]
}

function apiserverFlags(
  dir: string,
  { pki, etcdPort, apiPort }: { readonly pki: Pki; readonly etcdPort: number; readonly apiPort: number },
): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${String(etcdPort)}`,
    `--secure-port=${String(apiPort)}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--service-cluster-ip-range=${serviceRange}`,
    `--cert-dir=${dir}`,
    `--tls-cert-file=${pki.apiserver.cert}`,
    `--tls-private-key-file=${pki.apiserver.key}`,
    `--client-ca-file=${pki.ca}`,
    `--kubelet-client-certificate=${pki.admin.cert}`,
    `--kubelet-client-key=${pki.admin.key}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${pki.serviceAccountKey}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged',
  ]
}
