import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { silentLog } from '#base/log'
import { findEndpoints } from './endpoints.ts'

let certsDir: string

beforeEach(async () => {
  certsDir = await mkdtemp(join(tmpdir(), 'lighter-certs-'))
})

afterEach(() => rm(certsDir, { recursive: true }))

const find = (domain: string) =>
  findEndpoints({ certsDir, insecureHosts: ['plain.example', 'port.example:5000'] }, domain, silentLog)

const addresses: readonly (readonly [string, string])[] = [
  ['docker.io', 'https://registry-1.docker.io/v2'],
  ['quay.io', 'https://quay.io/v2'],
  ['quay.io:5000', 'https://quay.io:5000/v2'],
  ['localhost', 'http://localhost/v2'],
  ['localhost:5000', 'http://localhost:5000/v2'],
  ['127.0.0.1:5000', 'http://127.0.0.1:5000/v2'],
  ['127.9.8.7', 'http://127.9.8.7/v2'],
  ['[::1]:5000', 'http://[::1]:5000/v2'],
  ['[::2]:5000', 'https://[::2]:5000/v2'],
  ['127.0.0.1.evil.example', 'https://127.0.0.1.evil.example/v2'],
  ['localhost.evil.example', 'https://localhost.evil.example/v2'],
  ['128.0.0.1:5000', 'https://128.0.0.1:5000/v2'],
  ['plain.example', 'http://plain.example/v2'],
  ['plain.example:1234', 'http://plain.example:1234/v2'],
  ['port.example:5000', 'http://port.example:5000/v2'],
  ['port.example:5001', 'https://port.example:5001/v2'],
]

for (const [domain, address] of addresses) {
  test(`${domain} is reached at ${address}`, async () => {
    const [endpoint, ...more] = await find(domain)
    assert.equal(endpoint?.url.href, address)
    assert.equal(endpoint.isRegistryItself, true)
    assert.equal(endpoint.namespace, undefined)
    assert.deepEqual(more, [])
  })
}

test('what is the registry itself, and what is told its name, follows from the file', async () => {
  await mkdir(join(certsDir, 'reg.example'))
  const text = 'server = "https://moved.example"\n[host."https://m.example"]\n[host."https://reg.example"]\n'
  await writeFile(join(certsDir, 'reg.example', 'hosts.toml'), text)
  await mkdir(join(certsDir, '_default'))
  await writeFile(join(certsDir, '_default', 'hosts.toml'), 'server = "https://cache.example"\n')
  const facts = async (domain: string) =>
    (await find(domain)).map(({ url, isRegistryItself, namespace }) => [
      url.host,
      isRegistryItself,
      namespace,
    ])
  assert.deepEqual(await facts('reg.example'), [
    ['m.example', false, 'reg.example'],
    ['reg.example', true, undefined],
    ['moved.example', true, 'reg.example'],
  ])
  assert.deepEqual(await facts('other.example'), [['cache.example', false, 'other.example']])
})

test('a directory without hosts.toml is read as Docker does: .crt are authorities, .cert and .key are ours', async () => {
  const directory = join(certsDir, 'reg.example_5000_')
  await mkdir(directory)
  for (const name of ['ca.crt', 'us.cert', 'us.key', 'both.cert', 'README']) {
    await writeFile(join(directory, name), name)
  }
  const [endpoint] = await find('reg.example:5000')
  assert.deepEqual(endpoint?.tls.ca.map(String), ['ca.crt'])
  assert.deepEqual(
    endpoint.tls.clients.map(({ certificate, key }) => [String(certificate), String(key)]).sort(),
    [
      ['both.cert', 'both.cert'],
      ['us.cert', 'us.key'],
    ],
  )
})

test('a certificate file that is missing fails with its path', async () => {
  await mkdir(join(certsDir, 'reg.example'))
  await writeFile(join(certsDir, 'reg.example', 'hosts.toml'), 'ca = "lost.crt"\n')
  await assert.rejects(find('reg.example'), {
    kind: 'failed-precondition',
    message: /reg\.example\/lost\.crt/,
  })
})
