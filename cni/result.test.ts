import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { attachmentIps, parseResult, renderResult } from './result.ts'
import { supportedVersions } from './version.ts'

const noDns = { nameservers: [], domain: '', search: [], options: [] }

test('a 1.1.0 result is read with all its fields, unknown ones are left out', () => {
  const json = {
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'br0', mac: '00:11:22:33:44:55' },
      {
        name: 'eth0',
        mac: '00:11:22:33:44:66',
        mtu: 1400,
        sandbox: '/n',
        socketPath: '/s',
        pciID: '0:1',
      },
    ],
    ips: [{ address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 1 }],
    routes: [
      { dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400, advmss: 1300, priority: 1, table: 2, scope: 253 },
    ],
    dns: { nameservers: ['10.1.0.1'], domain: 'local', search: ['a.b'], options: ['ndots:5'] },
  }
  const foreign = json.interfaces.map(item => ({ ...item, vendor: { a: 2 ** 70 } }))
  const result = parseResult({ ...json, interfaces: foreign, 'vendor.example/thing': [] })
  assert.deepEqual(renderResult(result, '1.1.0'), json)
})

test('a 0.2.0 result becomes addresses and routes', () => {
  const result = parseResult({
    cniVersion: '0.2.0',
    ip4: { ip: '10.1.0.5/16', gateway: '10.1.0.1', routes: [{ dst: '0.0.0.0/0' }] },
    ip6: { ip: 'fd00::5/64' },
  })
  assert.deepEqual(result, {
    interfaces: [],
    ips: [{ address: '10.1.0.5/16', gateway: '10.1.0.1' }, { address: 'fd00::5/64' }],
    routes: [{ dst: '0.0.0.0/0' }],
    dns: noDns,
  })
  assert.deepEqual(attachmentIps(result), ['10.1.0.5', 'fd00::5'])
})

test('a result survives being written and read in every version', () => {
  const result = parseResult({
    ips: [{ address: '10.1.0.5/16', gateway: '10.1.0.1' }, { address: 'fd00::5/64' }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }, { dst: '::/0' }],
    dns: { nameservers: ['10.1.0.1'] },
  })
  for (const version of supportedVersions) {
    assert.deepEqual(parseResult(renderResult(result, version)), result, version)
  }
})

test('versions from 0.3.0 to 0.4.0 say the family of an address', () => {
  const result = parseResult({ ips: [{ address: '10.1.0.5/16' }, { address: 'fd00::5/64' }] })
  const ips = [
    { version: '4', address: '10.1.0.5/16' },
    { version: '6', address: 'fd00::5/64' },
  ]
  for (const version of ['0.3.0', '0.3.1', '0.4.0'] as const)
    assert.deepEqual(renderResult(result, version)['ips'], ips)
})

test('addresses of host interfaces are not those of the attachment', () => {
  const result = parseResult({
    interfaces: [{ name: 'br0' }, { name: 'eth0', sandbox: '/run/netns/x' }],
    ips: [
      { address: '10.1.0.1/16', interface: 0 },
      { address: '10.1.0.5/16', interface: 1 },
      { address: '10.1.0.6/16' },
      { address: '10.1.0.7/16', interface: 99 },
    ],
  })
  assert.deepEqual(attachmentIps(result), ['10.1.0.5', '10.1.0.6', '10.1.0.7'])
})

const hostile: readonly object[] = [
  { ips: 'x' },
  { ips: [null] },
  { ips: [{}] },
  { ips: [{ address: 5 }] },
  { ips: [{ address: '10.0.0.1' }] },
  { ips: [{ address: '10.0.0.1/33' }] },
  { ips: [{ address: 'fd00::1/129' }] },
  { ips: [{ address: '10.0.0.1/24/24' }] },
  { ips: [{ address: '$(reboot)/24' }] },
  { ips: [{ address: '10.0.0.1/24', gateway: 'gw' }] },
  { ips: [{ address: '10.0.0.1/24', interface: -1 }] },
  { ips: [{ address: '10.0.0.1/24', interface: 1.5 }] },
  { ips: new Array(65).fill({ address: '10.0.0.1/24' }) },
  { routes: [{ gw: '10.0.0.1' }] },
  { routes: new Array(1025).fill({ dst: '0.0.0.0/0' }) },
  { interfaces: [{ name: 'a\nb' }] },
  { interfaces: [{ name: 'a'.repeat(5000) }] },
  { interfaces: {} },
  { dns: 'x' },
  { dns: { nameservers: 'x' } },
  { dns: { search: [1] } },
  { ip4: 'x' },
  { ip4: {} },
]

for (const json of hostile) {
  test(`a result with ${JSON.stringify(json).slice(0, 60)} is refused`, () => {
    assert.throws(
      () => parseResult({ ...json }),
      err => isKind(err, 'invalid-argument'),
    )
  })
}
