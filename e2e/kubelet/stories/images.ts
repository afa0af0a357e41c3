import assert from 'node:assert/strict'
import { busyboxImage } from '../../../deploy/demo/busybox-image.ts'
import { runRegistry } from '../../harness/registry.ts'
import { namespace } from '../api.ts'
import type { ClusterStory, Stories } from '../cluster.ts'
import { isReady, statusOf } from '../pod-status.ts'
import { until } from '../until.ts'

export const images: Stories = [
  ['an image that does not exist ends in ImagePullBackOff, and its event says why', missingImage],
  ['a private image is pulled with the secret of the pod, and not without', privateImage],
]

async function missingImage(s: ClusterStory): Promise<void> {
  const main = s.make.container('main', { image: `${s.world.registry.host}/e2e/busybox:none` })
  await s.create(s.make.pod('nothing', { containers: [main] }))
  await backOff(s, 'nothing')
  await until('an event says why', {
    ask: () => s.api.events('nothing'),
    accept: text => /Failed: .*code = NotFound .*busybox:none/.test(text),
  })
}

async function privateImage(s: ClusterStory): Promise<void> {
  const [username, password] = ['ali', 'open sesame']
  const registry = await runRegistry({ auth: { type: 'basic', username, password } })
  try {
    const image = registry.put('private', '1', await busyboxImage({ labels: { private: 'yes' } }))
    const auths = { [registry.host]: { auth: Buffer.from(`${username}:${password}`).toString('base64') } }
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'pull', namespace },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
    }
    const containers = [s.make.container('main', { image })]
    await s.create(secret, s.make.pod('stranger', { containers }))
    await backOff(s, 'stranger')
    assert.match(
      await s.api.events('stranger'),
      /Failed: .*code = Unauthenticated .* needs credentials for private/,
    )
    await s.create(s.make.pod('friend', { containers, imagePullSecrets: [{ name: 'pull' }] }))
    const pod = await s.api.podWhen('friend', 'is ready', isReady)
    assert.match(statusOf(pod)?.imageID ?? '', /private@sha256:/)
  } finally {
    await registry.stop()
  }
}

async function backOff(s: ClusterStory, name: string): Promise<void> {
  await s.api.podWhen(
    name,
    'waits with ImagePullBackOff',
    pod => statusOf(pod)?.state?.waiting?.reason === 'ImagePullBackOff',
  )
}
