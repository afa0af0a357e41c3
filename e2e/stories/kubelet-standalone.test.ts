import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { listDirectory } from '../harness/files.ts'
import { freePort, get } from '../harness/http.ts'
import { whyNoKube } from '../kubelet/binaries.ts'
import { openChannels } from '../kubelet/channels.ts'
import { nodeName } from '../kubelet/kubelet.ts'
import { type KubeletApi, kubeletApi } from '../kubelet/kubelet-api.ts'
import { createManifests, type Manifests, shell } from '../kubelet/manifests.ts'
import { closeNodeWorld, type NodeWorld, openNodeWorld, writeStaticPod } from '../kubelet/node-world.ts'
import { isReady, restarts, statusOf } from '../kubelet/pod-status.ts'
import { until } from '../kubelet/until.ts'

const skip = await whyNoKube()

interface Standalone {
  readonly node: NodeWorld
  readonly api: KubeletApi
  readonly make: Manifests
}

test('a standalone kubelet as it is by default', { skip }, t => tellAll(t, {}))

test(
  'a standalone kubelet that takes events, streamed lists and all statistics from the runtime',
  { skip },
  t => tellAll(t, { EventedPLEG: true, CRIListStreaming: true, PodAndContainerStatsFromCRI: true }),
)

async function tellAll(t: TestContext, featureGates: Readonly<Record<string, boolean>>): Promise<void> {
  const config = { registerNode: false, readOnlyPort: await freePort(), featureGates }
  const node = await openNodeWorld({}, () => Promise.resolve({ config }))
  const images = await node.world.cri.listImages()
  try {
    const api = kubeletApi(() => node.kubelet())
    const standalone = { node, api, make: createManifests(node.world.registry.busybox) }
    for (const [name, body] of stories) await t.test(name, () => body(standalone, featureGates))
  } finally {
    await closeNodeWorld(node, { images })
  }
}

type Body = (standalone: Standalone, gates: Readonly<Record<string, boolean>>) => Promise<void>
const stories: readonly (readonly [string, Body])[] = [
  ['a static pod starts, passes its probes and can be read', staticPod],
  ['statistics of the pod and its container are there', statistics],
  ['exec, attach and port-forward go through the kubelet', sessions],
  ['a long log is rotated and stays readable', rotation],
  ['a container that crashes is started again, and the dead ones are collected', collection],
  ['nothing restarts when lighterd is killed', restartOfDaemon],
]

const full = (name: string): string => `${name}-${nodeName}`

async function start({ node, api, make }: Standalone, name: string, spec: Parameters<Manifests['pod']>[1]) {
  await writeStaticPod(node, name, make.pod(name, spec))
  return until(`pod ${name} is ready`, { ask: () => api.pod(full(name)), accept: isReady })
}

async function staticPod(standalone: Standalone): Promise<void> {
  const { node, api, make } = standalone
  const server = make.container('server', {
    image: node.world.registry.webServer,
    command: shell('echo started; exec httpd -f -p 80 -h /www'),
    startupProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 },
    readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
    livenessProbe: { exec: { command: ['test', '-d', '/www'] }, periodSeconds: 1 },
  })
  const pod = await start(standalone, 'web', { containers: [server] })
  assert.match(await get(`http://${pod?.status?.podIP ?? ''}/`), /Hello from a pod/)
  assert.equal(await api.get(`/containerLogs/default/${full('web')}/server`), 'started\n')
  assert.equal(restarts(pod), 0)
}

interface Summary {
  readonly pods: readonly {
    readonly podRef: { readonly name: string }
    readonly network?: { readonly name: string; readonly rxBytes: number }
    readonly process_stats?: { readonly process_count: number }
    readonly containers: readonly {
      readonly memory: { readonly workingSetBytes: number }
      readonly cpu: { readonly usageCoreNanoSeconds: number }
      readonly rootfs: { readonly usedBytes?: number }
    }[]
  }[]
}

async function statistics({ api }: Standalone, gates: Readonly<Record<string, boolean>>): Promise<void> {
  const pod = await until('the summary knows the pod', {
    ask: async () => {
      const { pods } = JSON.parse(await api.get('/stats/summary')) as Summary
      return pods.find(({ podRef }) => podRef.name === full('web'))
    },
    accept: found => {
      const [container] = found?.containers ?? []
      return container?.rootfs.usedBytes !== undefined && container.memory.workingSetBytes > 0
    },
  })
  assert.ok((pod?.containers[0]?.cpu.usageCoreNanoSeconds ?? 0) > 0)
  // By default cAdvisor looks for the network and the processes, but only where runtimes that it knows make pods.
  if (gates['PodAndContainerStatsFromCRI'] !== true) return
  assert.equal(pod?.network?.name, 'eth0')
  assert.ok(pod.network.rxBytes > 0)
  assert.ok((pod.process_stats?.process_count ?? 0) > 0, JSON.stringify(pod))
  const metrics = await api.get('/metrics/cadvisor')
  assert.match(metrics, new RegExp(`container_memory_working_set_bytes\\{[^}]*pod="${full('web')}"`))
}

async function sessions(standalone: Standalone): Promise<void> {
  const { node, make } = standalone
  const reader = make.container('reader', { command: shell('cat; sleep 1000'), stdin: true })
  await start(standalone, 'talk', { containers: [reader] })
  const { url } = node.kubelet()

  const query = ['input=1', 'output=1', 'error=1', 'command=sh', 'command=-c']
  const line = encodeURIComponent('cat; echo wrong >&2; exit 7')
  const exec = await openChannels(
    `${url}/exec/default/${full('talk')}/reader?${query.join('&')}&command=${line}`,
    'v5.channel.k8s.io',
  )
  exec.send('typed\n')
  exec.endInput()
  await exec.closed
  assert.equal(exec.text(1), 'typed\n')
  assert.equal(exec.text(2), 'wrong\n')
  assert.match(exec.text(3), /"ExitCode","message":"7"/)

  const attached = await openChannels(
    `${url}/attach/default/${full('talk')}/reader?input=1&output=1`,
    'v5.channel.k8s.io',
  )
  attached.send('echoed\n')
  await until('the container echoes', {
    ask: () => Promise.resolve(attached.text(1)),
    accept: text => text.includes('echoed\n'),
  })
  attached.close()
  await attached.closed

  const forward = await openChannels(`${url}/portForward/default/${full('web')}?port=80`, 'v4.channel.k8s.io')
  forward.send('GET / HTTP/1.0\r\n\r\n')
  await until('the page comes', {
    ask: () => Promise.resolve(forward.text(0)),
    accept: text => text.includes('Hello from a pod'),
  })
  forward.close()
  await forward.closed
}

async function rotation(standalone: Standalone): Promise<void> {
  const { node, api, make } = standalone
  const line = 'i=0; while :; do echo "line $i $(printf %01000d 0)"; i=$((i+1)); usleep 5000; done'
  await start(standalone, 'chatty', { containers: [make.container('main', { command: shell(line) })] })
  const { podLogsDir } = node.kubelet()
  const [podDir = ''] = (await listDirectory(podLogsDir)).filter(name => name.includes('chatty'))
  const names = await until('the log has been rotated twice', {
    ask: () => listDirectory(join(podLogsDir, podDir, 'main')),
    accept: found => found.filter(name => /^0\.log\.\d+/.test(name)).length >= 2,
  })
  assert.ok(names.includes('0.log'))
  const [rotated = ''] = names.filter(name => /^0\.log\.\d+-\d+$/.test(name))
  const before = await numbersIn(join(podLogsDir, podDir, 'main', rotated))
  assert.ok(before.length > 10)
  const first = before[0] ?? 0
  assert.deepEqual(
    before,
    before.map((_, index) => first + index),
    'a line is lost or doubled',
  )
  assert.match(await api.get(`/containerLogs/default/${full('chatty')}/main?tailLines=1`), /^line \d+ 0+\n$/)
}

async function numbersIn(path: string): Promise<readonly number[]> {
  return [...(await readFile(path, 'utf8')).matchAll(/ F line (\d+) /g)].map(match => Number(match[1]))
}

async function collection({ node, api, make }: Standalone): Promise<void> {
  const crashing = make.container('main', { command: shell('echo "run $$"; exit 3') })
  await writeStaticPod(node, 'crashing', make.pod('crashing', { containers: [crashing] }))
  const pod = await until('the container has crashed three times', {
    ask: () => api.pod(full('crashing')),
    accept: found => restarts(found) >= 3,
  })
  assert.equal(statusOf(pod)?.lastState?.terminated?.exitCode, 3)
  await until('the kubelet keeps two containers at most', {
    ask: async () => {
      const { containers } = await node.world.cri.client.call(rpc.ListContainers, {})
      return containers.filter(({ labels }) => labels?.['io.kubernetes.pod.name'] === full('crashing')).length
    },
    accept: count => count > 0 && count <= 2,
  })
}

async function restartOfDaemon({ node, api }: Standalone): Promise<void> {
  const { daemon } = node.world
  const before = await api.pod(full('web'))
  await daemon.kill()
  await daemon.start()
  await until('the kubelet talks to lighterd again', {
    ask: () => api.get(`/containerLogs/default/${full('web')}/server`),
    accept: text => text === 'started\n',
  })
  const pod = await until('pod web is ready', { ask: () => api.pod(full('web')), accept: isReady })
  assert.equal(restarts(pod), 0)
  assert.equal(statusOf(pod, 'server')?.containerID, statusOf(before, 'server')?.containerID)
}
