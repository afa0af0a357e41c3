import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import { samplePodConfig } from '../testing/samples.ts'
import { podSysctls } from './sysctls.ts'

const host = { network: 'node', pid: 'container', ipc: 'node', targetId: '', user: undefined } as const
const open = ['net.ipv4.ip_unprivileged_port_start=0', 'net.ipv4.ping_group_range=0 2147483647']

test('a pod with its own network lets everybody bind low ports and ping', () => {
  assert.deepEqual(podSysctls(samplePodConfig()), open)
  assert.deepEqual(podSysctls(samplePodConfig({ namespaces: host })), [])
})

test('what the pod asks for wins, in either spelling', () => {
  const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '1024', 'net/ipv4/conf/eth0.1/forwarding': '1' }
  assert.deepEqual(podSysctls(samplePodConfig({ sysctls })), [
    'net.ipv4.ip_unprivileged_port_start=1024',
    open[1],
    'net.ipv4.conf.eth0/1.forwarding=1',
  ])
})

test('a sysctl outside the namespaces of the pod is refused', async t => {
  const cases: readonly (readonly [string, boolean])[] = [
    ['vm.swappiness', false],
    ['kernel.hostname', false],
    ['kernel.shmmax', true],
    ['net.core.somaxconn', true],
    ['fs.mqueue.msg_max', true],
    ['', false],
  ]
  for (const [key, isPods] of cases) {
    await t.test(key, () => {
      const refused = (err: unknown): boolean =>
        isKind(err, 'invalid-argument') && err.message.includes(`"${key}"`)
      const own = samplePodConfig({ sysctls: { [key]: '1' } })
      if (isPods) assert.ok(podSysctls(own).includes(`${key}=1`))
      else assert.throws(() => podSysctls(own), refused)
      assert.throws(() => podSysctls({ ...own, namespaces: host }), refused)
    })
  }
})
