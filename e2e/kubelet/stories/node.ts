import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { V1Pod } from '@kubernetes/client-node'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { containerState } from '../../harness/configs.ts'
import { namespace } from '../api.ts'
import type { ClusterStory, Stories } from '../cluster.ts'
import { nodeName } from '../kubelet.ts'
import { hasLostRunning, isReady, restarts, statusOf } from '../pod-status.ts'
import { until } from '../until.ts'

/** These disturb all others, and run one after the other. */
export const nodeLife: Stories = [
  [
    'lighterd is killed again and again while a Deployment grows: all pods come, what runs goes on',
    daemonRestarts,
  ],
  ['nothing restarts when the kubelet does', kubeletRestart],
  ['a drained node is empty, and takes pods again afterwards', drain],
  ['when the disk is short the kubelet removes images that nobody uses, and ends pods', diskPressure],
]

function deployment(s: ClusterStory, name: string, replicas: number) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [s.make.container('main')], terminationGracePeriodSeconds: 1 },
      },
    },
  }
}

async function allReady(s: ClusterStory, name: string, count: number): Promise<readonly V1Pod[]> {
  return until(`${String(count)} pods of ${name} are ready`, {
    ask: () => s.api.pods(`app=${name}`),
    accept: pods => pods.length === count && pods.every(isReady),
    timeoutMs: 120_000,
  })
}

async function daemonRestarts(s: ClusterStory): Promise<void> {
  const { daemon, cri } = s.world
  await s.create(deployment(s, 'grows', 2))
  const first = await allReady(s, 'grows', 2)
  await s.kubectl('scale', 'deployment/grows', '--replicas', '12')
  for (let i = 0; i < kills; i++) {
    await delay(betweenKillsMs)
    await daemon.kill()
    await daemon.start()
  }
  const pods = await allReady(s, 'grows', 12)
  // The kubelet makes another container for a start that met the kill; whatever had run goes on.
  assert.deepEqual(
    pods.filter(hasLostRunning).map(pod => statusOf(pod)),
    [],
  )
  assert.deepEqual(
    first.map(pod => restarts(pods.find(({ metadata }) => metadata?.name === pod.metadata?.name))),
    first.map(() => 0),
  )
  const ids = new Set(pods.map(pod => statusOf(pod)?.containerID))
  assert.ok(first.every(pod => ids.has(statusOf(pod)?.containerID)))
  await until('what the runtime runs is what the pods say', {
    ask: async () => {
      const { containers } = await cri.client.call(rpc.ListContainers, {
        filter: {
          state: { state: containerState.CONTAINER_RUNNING },
          labelSelector: { 'io.kubernetes.pod.namespace': namespace },
        },
      })
      return containers.map(({ id }) => `lighter://${id ?? ''}`).sort()
    },
    accept: running => running.join() === [...ids].sort().join(),
  })
}

const kills = 5
/** Long enough for some pods to be in the middle of being made. */
const betweenKillsMs = 700

async function kubeletRestart(s: ClusterStory): Promise<void> {
  await s.create(s.make.pod('stays'))
  const before = await s.api.podWhen('stays', 'is ready', isReady)
  await s.node.restartKubelet()
  await s.kubectl('annotate', 'pod', 'stays', 'seen=yes')
  await until('the kubelet serves the pod again', {
    ask: () => s.kubectl('exec', 'stays', '--', 'echo', 'here'),
    accept: text => text === 'here\n',
  })
  const after = await s.api.podWhen('stays', 'is ready', isReady)
  assert.equal(restarts(after), 0)
  assert.equal(statusOf(after)?.containerID, statusOf(before)?.containerID)
}

async function drain(s: ClusterStory): Promise<void> {
  await s.create(deployment(s, 'moves', 3))
  const before = await allReady(s, 'moves', 3)
  await s.kubectl('drain', nodeName, '--force', '--delete-emptydir-data', '--timeout', '60s')
  await until('no container of these pods runs', {
    ask: async () => {
      const { containers } = await s.world.cri.client.call(rpc.ListContainers, {
        filter: { state: { state: containerState.CONTAINER_RUNNING } },
      })
      return containers.filter(({ labels }) => labels?.['io.kubernetes.pod.name']?.startsWith('moves-'))
    },
    accept: running => running.length === 0,
  })
  await s.kubectl('uncordon', nodeName)
  const after = await allReady(s, 'moves', 3)
  const old = new Set(before.map(({ metadata }) => metadata?.uid))
  assert.ok(after.every(({ metadata }) => !old.has(metadata?.uid)))
}

async function diskPressure(s: ClusterStory): Promise<void> {
  const { cri, registry } = s.world
  await cri.pull(registry.printer)
  await s.create(s.make.pod('evicted'))
  await s.api.podWhen('evicted', 'is ready', isReady)
  await s.node.restartKubelet({ evictionHard: { 'imagefs.available': '99%' }, imageMinimumGCAge: '1s' })
  await until('the image is gone', {
    ask: () => cri.listImages(registry.printer),
    accept: ids => ids.length === 0,
    timeoutMs: 90_000,
  })
  await s.api.podWhen('evicted', 'has ended', ({ status }) => /Failed|Succeeded/.test(status?.phase ?? ''))
}
