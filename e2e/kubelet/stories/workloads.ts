import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { get } from '../../harness/http.ts'
import { namespace } from '../api.ts'
import type { ClusterStory, Stories } from '../cluster.ts'
import { type Container, shell } from '../manifests.ts'
import { isReady, restarts, statusOf } from '../pod-status.ts'
import { until } from '../until.ts'

export const workloads: Stories = [
  ['a Deployment becomes available behind all kinds of probes, and rolls over', rollingDeployment],
  ['a failing liveness probe restarts the container, a failing readiness probe hides it', failingProbes],
  ['init containers run one after the other, a sidecar before and behind the main container', sidecars],
  ['postStart runs before the container counts as started, preStop before it is stopped', hooks],
  ['a container tells why it ended, and is started again until it succeeds', termination],
]

/** A web server with every kind of probe. */
function probed(s: ClusterStory): Container {
  return s.make.container('web', {
    image: s.world.registry.webServer,
    command: shell('exec httpd -f -p 80 -h /www'),
    env: [{ name: 'VERSION', value: '1' }],
    startupProbe: { httpGet: { path: '/index.html', port: 80 }, periodSeconds: 1, failureThreshold: 30 },
    readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 },
    livenessProbe: { exec: { command: ['test', '-d', '/www'] }, periodSeconds: 1 },
  })
}

async function rollingDeployment(s: ClusterStory): Promise<void> {
  const name = 'web'
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [probed(s)], terminationGracePeriodSeconds: 1 },
      },
    },
  }
  await s.create(deployment)
  const available = () =>
    until('all replicas are available and nothing else runs', {
      ask: () => s.api.apps.readNamespacedDeployment({ name, namespace }),
      accept: ({ status, metadata }) =>
        status?.observedGeneration === metadata?.generation &&
        status?.updatedReplicas === 3 &&
        status.availableReplicas === 3 &&
        status.replicas === 3,
      timeoutMs: 120_000,
    })
  await available()
  const first = await s.api.pods(`app=${name}`)
  for (const pod of first) assert.match(await get(`http://${pod.status?.podIP ?? ''}/`), /Hello from a pod/)
  assert.equal(
    first.reduce((sum, pod) => sum + restarts(pod), 0),
    0,
  )
  await s.kubectl('set', 'env', `deployment/${name}`, 'VERSION=2')
  await available()
  const second = (await s.api.pods(`app=${name}`)).filter(({ metadata }) => !metadata?.deletionTimestamp)
  const uids = new Set(first.map(({ metadata }) => metadata?.uid))
  assert.ok(second.every(({ metadata }) => !uids.has(metadata?.uid)))
}

async function failingProbes(s: ClusterStory): Promise<void> {
  const probe = (file: string) => ({
    exec: { command: ['test', '!', '-e', `/tmp/${file}`] },
    periodSeconds: 1,
    failureThreshold: 1,
  })
  const main = s.make.container('main', { livenessProbe: probe('dead'), readinessProbe: probe('busy') })
  await s.create(s.make.pod('sick', { containers: [main] }))
  await s.api.podWhen('sick', 'is ready', isReady)
  await s.kubectl('exec', 'sick', '--', 'touch', '/tmp/busy')
  await s.api.podWhen('sick', 'is not ready', pod => !isReady(pod) && restarts(pod) === 0)
  await s.kubectl('exec', 'sick', '--', 'touch', '/tmp/dead')
  const pod = await s.api.podWhen('sick', 'was restarted', found => restarts(found) === 1 && isReady(found))
  assert.ok(statusOf(pod)?.lastState?.terminated)
  assert.match(await s.api.events('sick'), /Unhealthy: Liveness probe failed/)
}

async function sidecars(s: ClusterStory): Promise<void> {
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }]
  const step = (name: string, line: string, more: Partial<Container> = {}) =>
    s.make.container(name, { command: shell(line), volumeMounts, ...more })
  const sidecar = step(
    'sidecar',
    'trap "echo sidecar end; exit 0" TERM; echo sidecar >> /shared/order; touch /shared/up; while :; do sleep 1000 & wait $!; done',
    {
      restartPolicy: 'Always',
      startupProbe: { exec: { command: ['test', '-e', '/shared/up'] }, periodSeconds: 1 },
    },
  )
  await s.create(
    s.make.pod('ordered', {
      restartPolicy: 'Never',
      volumes: [{ name: 'shared', emptyDir: {} }],
      terminationGracePeriodSeconds: 10,
      initContainers: [
        step('one', 'echo one >> /shared/order'),
        sidecar,
        step('two', 'echo two >> /shared/order'),
      ],
      containers: [step('main', 'cat /shared/order')],
    }),
  )
  const pod = await s.api.podWhen('ordered', 'has succeeded', ({ status }) => status?.phase === 'Succeeded')
  assert.equal(await s.api.log('ordered'), 'one\nsidecar\ntwo\n')
  await s.api.podWhen(
    'ordered',
    'has no sidecar any more',
    found => statusOf(found, 'sidecar')?.state?.terminated?.exitCode === 0,
  )
  assert.equal(await s.api.log('ordered', 'sidecar'), 'sidecar end\n')
  assert.equal(statusOf(pod, 'one')?.state?.terminated?.reason, 'Completed')
}

async function hooks(s: ClusterStory): Promise<void> {
  const path = join(s.world.scratch.dir, 'hooks')
  await mkdir(path)
  const hook = (line: string) => ({ exec: { command: shell(line) } })
  const main = s.make.container('main', {
    lifecycle: {
      postStart: hook('sleep 1; echo postStart >> /host/order'),
      preStop: hook('echo preStop >> /host/order; sleep 1; echo stopping >> /host/order'),
    },
    volumeMounts: [{ name: 'host', mountPath: '/host' }],
  })
  const pod = s.make.pod('hooked', {
    containers: [main],
    volumes: [{ name: 'host', hostPath: { path, type: 'Directory' } }],
    terminationGracePeriodSeconds: 20,
  })
  await s.create(pod)
  await s.api.podWhen('hooked', 'is ready', isReady)
  assert.equal(await readFile(join(path, 'order'), 'utf8'), 'postStart\n')
  await s.kubectl('delete', 'pod', 'hooked', '--wait')
  assert.equal(await readFile(join(path, 'order'), 'utf8'), 'postStart\npreStop\nstopping\n')
}

async function termination(s: ClusterStory): Promise<void> {
  const line =
    'n=$(cat /keep/n || echo 0); echo $((n+1)) > /keep/n; echo "try $n" > /dev/termination-log; [ $n = 1 ]'
  const main = s.make.container('main', {
    command: shell(line),
    volumeMounts: [{ name: 'keep', mountPath: '/keep' }],
  })
  await s.create(
    s.make.pod('trier', {
      restartPolicy: 'OnFailure',
      containers: [main],
      volumes: [{ name: 'keep', emptyDir: {} }],
    }),
  )
  const pod = await s.api.podWhen('trier', 'has succeeded', ({ status }) => status?.phase === 'Succeeded')
  const status = statusOf(pod)
  assert.equal(status?.restartCount, 1)
  assert.equal(status.state?.terminated?.message, 'try 1\n')
  assert.equal(status.lastState?.terminated?.exitCode, 1)
  assert.equal(status.lastState.terminated.message, 'try 0\n')
}
