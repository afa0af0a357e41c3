import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mustRun } from '../harness/program.ts'
import { nodeName } from './kubelet.ts'

/** Certificates, keys and kubeconfig files of a cluster, by path. */
export interface Pki {
  readonly ca: string
  readonly apiserver: KeyPair
  readonly admin: KeyPair
  readonly serviceAccountKey: string
  readonly serviceAccountPublicKey: string
  readonly adminKubeconfig: string
  readonly kubeletKubeconfig: string
}

export interface KeyPair {
  readonly cert: string
  readonly key: string
}

const names =
  'subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1'

/** Makes them all in a directory, for an API server at `serverUrl`. */
export async function createPki(dir: string, serverUrl: string): Promise<Pki> {
  await mkdir(dir, { recursive: true })
  const ca = { cert: join(dir, 'ca.crt'), key: join(dir, 'ca.key') }
  await openssl(['req', '-x509', ...newKey(ca.key), '-days', '2', '-subj', '/CN=ca', '-out', ca.cert])
  const issue = (name: string, subject: string): Promise<KeyPair> => sign(dir, { name, subject, ca })
  const [apiserver, admin, kubelet] = await Promise.all([
    issue('apiserver', '/CN=kube-apiserver'),
    issue('admin', '/O=system:masters/CN=admin'),
    issue('kubelet', `/O=system:nodes/CN=system:node:${nodeName}`),
  ])
  const serviceAccountKey = join(dir, 'sa.key')
  const serviceAccountPublicKey = join(dir, 'sa.pub')
  await openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', serviceAccountKey])
  await openssl(['ec', '-in', serviceAccountKey, '-pubout', '-out', serviceAccountPublicKey])
  const kubeconfig = async (name: string, client: KeyPair): Promise<string> => {
    const path = join(dir, `${name}.kubeconfig`)
    await writeFile(path, JSON.stringify(kubeconfigOf({ ca: ca.cert, serverUrl, client })))
    return path
  }
  return {
    ca: ca.cert,
    apiserver,
    admin,
    serviceAccountKey,
    serviceAccountPublicKey,
    adminKubeconfig: await kubeconfig('admin', admin),
    kubeletKubeconfig: await kubeconfig('kubelet', kubelet),
  }
}

function newKey(path: string): readonly string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path]
}

async function sign(
  dir: string,
  { name, subject, ca }: { readonly name: string; readonly subject: string; readonly ca: KeyPair },
): Promise<KeyPair> {
  const pair = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
  const request = join(dir, `${name}.csr`)
  const extensions = join(dir, `${name}.ext`)
  await writeFile(extensions, names)
  await openssl(['req', '-new', ...newKey(pair.key), '-subj', subject, '-out', request])
  const serial = ['-set_serial', String(Date.now() * 1000 + Math.floor(Math.random() * 1000))]
  const authority = ['-CA', ca.cert, '-CAkey', ca.key, ...serial]
  await openssl([
    ...['x509', '-req', '-in', request, ...authority, '-days', '2'],
    ...['-extfile', extensions, '-out', pair.cert],
  ])
  return pair
}

function kubeconfigOf(of: {
  readonly ca: string
  readonly serverUrl: string
  readonly client: KeyPair
}): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: of.serverUrl, 'certificate-authority': of.ca } }],
    users: [{ name: 'u', user: { 'client-certificate': of.client.cert, 'client-key': of.client.key } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  }
}

async function openssl(args: readonly string[]): Promise<void> {
  await mustRun(['openssl', ...args])
}
