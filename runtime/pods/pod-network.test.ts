import assert from 'node:assert/strict'
import test from 'node:test'
import { samplePod, samplePodConfig } from '../testing/samples.ts'
import { podAttachment } from './pod-network.ts'

test('a pod is attached with the arguments that Kubernetes plugins expect', () => {
  const pod = samplePod()
  const attachment = podAttachment(pod, '/run/net')
  assert.equal(attachment.containerId, pod.id)
  assert.equal(attachment.netnsPath, '/run/net')
  assert.deepEqual(attachment.args, {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: 'default',
    K8S_POD_NAME: 'web',
    K8S_POD_INFRA_CONTAINER_ID: pod.id,
    K8S_POD_UID: '6f1c',
  })
})

test('only published ports are mapped, and an empty host address is left out', () => {
  const config = samplePodConfig({
    portMappings: [
      { protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' },
      { protocol: 'udp', containerPort: 53, hostPort: 53, hostIp: '127.0.0.1' },
      { protocol: 'tcp', containerPort: 443, hostPort: 0, hostIp: '' },
    ],
  })
  assert.deepEqual(podAttachment(samplePod({ config }), '').capabilities.portMappings, [
    { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
    { hostPort: 53, containerPort: 53, protocol: 'udp', hostIP: '127.0.0.1' },
  ])
  assert.equal('portMappings' in podAttachment(samplePod(), '').capabilities, false)
})

test('bandwidth annotations become bits per second, nonsense is ignored', async t => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['10M', 10e6],
    ['1.5G', 1.5e9],
    ['8Ki', 8192],
    ['1000', 1000],
    ['fast', undefined],
    ['10Z', undefined],
    ['', undefined],
  ]
  for (const [text, bits] of cases) {
    await t.test(`"${text}"`, () => {
      const config = samplePodConfig({ annotations: { 'kubernetes.io/ingress-bandwidth': text } })
      const { bandwidth } = podAttachment(samplePod({ config }), '').capabilities
      const expected = bits === undefined ? undefined : { ingressRate: bits, ingressBurst: 2_147_483_647 }
      assert.deepEqual(bandwidth, expected)
    })
  }
})
