import assert from 'node:assert/strict'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import type { ClusterStory, Stories } from '../cluster.ts'
import { shell } from '../manifests.ts'
import { isReady, restarts, statusOf } from '../pod-status.ts'
import { until } from '../until.ts'

export const resources: Stories = [
  ['a container above its memory limit is OOMKilled', oomKilled],
  ['requests and limits reach the cgroup, and change in place without a restart', resize],
  ['a RuntimeClass chooses the handler; one that is not configured is refused with its name', runtimeClass],
  ['root of a pod without host users is nobody on the host', userNamespace],
]

async function oomKilled(s: ClusterStory): Promise<void> {
  const main = s.make.container('main', {
    command: shell('tail /dev/zero'),
    resources: { limits: { memory: '24Mi', cpu: '500m' } },
  })
  await s.create(s.make.pod('greedy', { restartPolicy: 'Never', containers: [main] }))
  const pod = await s.api.podWhen('greedy', 'has failed', ({ status }) => status?.phase === 'Failed')
  const end = statusOf(pod)?.state?.terminated
  assert.equal(end?.reason, 'OOMKilled')
  assert.equal(end.exitCode, 137)
}

/** Of both versions of cgroups: quota and period, and the limit of memory. */
const limitsLine =
  'cat /sys/fs/cgroup/cpu.max 2>/dev/null || echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us); ' +
  'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes'

async function resize(s: ClusterStory): Promise<void> {
  const main = s.make.container('main', {
    resources: { requests: { cpu: '50m', memory: '32Mi' }, limits: { cpu: '100m', memory: '64Mi' } },
  })
  await s.create(s.make.pod('resized', { containers: [main] }))
  const before = await s.api.podWhen('resized', 'is ready', isReady)
  const limits = (): Promise<string> => s.kubectl('exec', 'resized', '--', ...shell(limitsLine))
  assert.equal(await limits(), `10000 100000\n${64 * 1024 * 1024}\n`)
  const wanted = { cpu: '200m', memory: '96Mi' }
  const patch = { spec: { containers: [{ name: 'main', resources: { limits: wanted } }] } }
  await s.kubectl('patch', 'pod', 'resized', '--subresource', 'resize', '-p', JSON.stringify(patch))
  const after = await s.api.podWhen('resized', 'has its new limits', pod => {
    const { cpu, memory } = statusOf(pod)?.resources?.limits ?? {}
    return cpu === wanted.cpu && memory === wanted.memory
  })
  assert.equal(await limits(), `20000 100000\n${96 * 1024 * 1024}\n`)
  assert.equal(restarts(after), 0)
  assert.equal(statusOf(after)?.containerID, statusOf(before)?.containerID)
}

async function runtimeClass(s: ClusterStory): Promise<void> {
  const named = (name: string, handler: string) => ({
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name },
    handler,
  })
  await s.create(named('other', 'other'), named('absent', 'absent'))
  await s.create(s.make.pod('classy', { runtimeClassName: 'other' }))
  await s.create(s.make.pod('unlucky', { runtimeClassName: 'absent' }))
  await s.api.podWhen('classy', 'is ready', isReady)
  const { items } = await s.world.cri.client.call(rpc.ListPodSandbox, {})
  const pod = items.find(({ metadata }) => metadata?.name === 'classy')
  assert.equal(pod?.runtimeHandler, 'other')
  await until('an event names the handler', {
    ask: () => s.api.events('unlucky'),
    accept: text => /FailedCreatePodSandBox: .*"absent"/.test(text),
  })
}

async function userNamespace(s: ClusterStory): Promise<void> {
  await s.create(
    s.make.pod('mapped', {
      hostUsers: false,
      containers: [
        s.make.container('main', {
          command: shell('cat /proc/self/uid_map; touch /data/mine; stat -c %u /data/mine; sleep 1000'),
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        }),
      ],
      volumes: [{ name: 'data', emptyDir: {} }],
    }),
  )
  await s.api.podWhen('mapped', 'is ready', isReady)
  const [map = '', owner = ''] = (await s.api.log('mapped')).trim().split('\n')
  const [inside, outside, count] = map.trim().split(/\s+/).map(Number)
  assert.deepEqual({ inside, count, owner }, { inside: 0, count: 65_536, owner: '0' })
  assert.ok((outside ?? 0) >= 65_536)
}
