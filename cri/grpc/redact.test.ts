import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { v1 } from '#proto'
import { redacted, secretFields } from './redact.ts'

test('the list of secret fields is what the proto marks debug_redact', async () => {
  const proto = await readFile('cri/grpc/proto/api.proto', 'utf8')
  const marked = [...proto.matchAll(/ (\w+) = \d+ \[debug_redact = true\]/g)].map(([, name = '']) =>
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
  )
  assert.deepEqual([...secretFields].sort(), marked.sort())
})

test('a logged message has no secrets, and the message itself keeps them', () => {
  const request = new v1.PullImageRequest({
    image: { image: 'registry.example/web' },
    auth: {
      username: 'ann',
      password: 'hunter2',
      auth: 'aHVudGVyMg==',
      identityToken: 'it-secret',
      registryToken: 'rt-secret',
    },
  })
  const text = JSON.stringify(redacted(request))
  for (const secret of ['hunter2', 'aHVudGVyMg==', 'it-secret', 'rt-secret']) {
    assert.ok(!text.includes(secret), `${secret} is in ${text}`)
  }
  assert.match(text, /registry\.example\/web/)
  assert.match(text, /"username":"ann"/)
  assert.equal(request.auth?.password, 'hunter2')
})

test('values of environment variables are not logged', () => {
  const config = new v1.ContainerConfig({ envs: [{ key: 'TOKEN', value: Buffer.from('hunter2') }] })
  assert.deepEqual(JSON.parse(JSON.stringify(redacted({ config }))), {
    config: { ...emptyContainerConfig, envs: [{ key: 'TOKEN', value: '7 bytes' }] },
  })
})

const emptyContainerConfig = {
  command: [],
  args: [],
  mounts: [],
  devices: [],
  labels: {},
  annotations: {},
  CDIDevices: [],
}
