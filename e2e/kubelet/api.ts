import type { AppsV1Api, CoreV1Api, KubeConfig, KubernetesObject, V1Pod } from '@kubernetes/client-node'
import { until } from './until.ts'

/** The API server, as a client in a program sees it. Objects without namespace are those of `default`. */
export interface Api {
  readonly core: CoreV1Api
  readonly apps: AppsV1Api
  readonly config: KubeConfig
  create(object: KubernetesObject): Promise<void>
  /** What it owns goes, too. Succeeds if it is gone. */
  remove(object: KubernetesObject): Promise<void>
  pod(name: string): Promise<V1Pod>
  /** Waits until the pod is as wanted. */
  podWhen(name: string, what: string, accept: (pod: V1Pod) => boolean): Promise<V1Pod>
  /** Those with this label. */
  pods(label: string): Promise<readonly V1Pod[]>
  /** Texts of the events of an object. */
  events(name: string): Promise<string>
  log(pod: string, container?: string): Promise<string>
}

export const namespace = 'default'
const graceSeconds = 1

/** As the user of a kubeconfig file. */
export async function createApi(kubeconfigPath: string): Promise<Api> {
  // Large, and needed by those who have a cluster only.
  const client = await import('@kubernetes/client-node')
  const config = new client.KubeConfig()
  config.loadFromFile(kubeconfigPath)
  const core = config.makeApiClient(client.CoreV1Api)
  const objects = client.KubernetesObjectApi.makeApiClient(config)
  const pod = (name: string): Promise<V1Pod> => core.readNamespacedPod({ name, namespace })
  return {
    core,
    apps: config.makeApiClient(client.AppsV1Api),
    config,
    async create(object) {
      await objects.create(object)
    },
    async remove(object) {
      try {
        await objects.delete(object, undefined, undefined, graceSeconds, undefined, 'Background')
      } catch (err) {
        if (!(err instanceof client.ApiException) || err.code !== notFound) throw err
      }
    },
    pod,
    podWhen: (name, what, accept) => until(`pod ${name} ${what}`, { ask: () => pod(name), accept }),
    async pods(label) {
      return (await core.listNamespacedPod({ namespace, labelSelector: label })).items
    },
    async events(name) {
      const { items } = await core.listNamespacedEvent({ namespace })
      const own = items.filter(event => event.involvedObject.name === name)
      return own.map(({ reason, message }) => `${reason ?? ''}: ${message ?? ''}`).join('\n')
    },
    log: (name, container = 'main') => core.readNamespacedPodLog({ name, namespace, container }),
  }
}

const notFound = 404
