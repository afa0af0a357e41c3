import { namespace } from '../api.ts'
import type { Cluster } from '../cluster.ts'
import { shell } from '../manifests.ts'
import { isReady, restarts, statusOf } from '../pod-status.ts'
import { until } from '../until.ts'

/** The pods that shall not notice anything. */
export interface Steady {
  readonly ready: number
  readonly restarts: number
  /** Of all of them, by name of the pod. */
  readonly containers: ReadonlyMap<string, string>
}

const label = 'steady'
const growTimeoutMs = 300_000

/** Makes a Deployment of so many pods with probes, and waits until they are ready. */
export async function growTo(cluster: Cluster, replicas: number): Promise<Steady> {
  const { api, make } = cluster
  const main = make.container('main', {
    command: shell('trap "exit 0" TERM; while :; do date; sleep 5 & wait $!; done'),
    livenessProbe: { exec: { command: ['true'] }, periodSeconds: 20, timeoutSeconds: 10 },
  })
  await api.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: label, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: label } },
      template: {
        metadata: { labels: { app: label } },
        spec: { containers: [main], terminationGracePeriodSeconds: 1 },
      },
    },
  } as object)
  return until(`${String(replicas)} pods are ready`, {
    ask: () => steadyOf(cluster),
    accept: ({ ready }) => ready === replicas,
    timeoutMs: growTimeoutMs,
  })
}

export async function steadyOf({ api }: Cluster): Promise<Steady> {
  const pods = await api.pods(`app=${label}`)
  return {
    ready: pods.filter(isReady).length,
    restarts: pods.reduce((sum, pod) => sum + restarts(pod), 0),
    containers: new Map(pods.map(pod => [pod.metadata?.name ?? '', statusOf(pod)?.containerID ?? ''])),
  }
}

/** What has become different though it should not. */
export function problemsOf(before: Steady, after: Steady): readonly string[] {
  const changed = [...before.containers].filter(([pod, container]) => after.containers.get(pod) !== container)
  return [
    ...changed.map(([pod]) => `pod ${pod} has another container than at the start, or none`),
    ...(after.ready === before.ready
      ? []
      : [`${String(after.ready)} of ${String(before.ready)} pods are ready`]),
    ...(after.restarts === 0 ? [] : [`${String(after.restarts)} restarts`]),
  ]
}
