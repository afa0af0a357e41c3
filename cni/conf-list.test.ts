import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { parseConfList, renderConfList } from './conf-list.ts'
import { renderDefaultConfList } from './default-conf-list.ts'

const bridge = {
  type: 'bridge',
  capabilities: { mac: true, ips: false },
  ipam: { type: 'host-local' },
  mtu: 1400,
}
const list = { cniVersion: '1.0.0', name: 'net', plugins: [bridge, { type: 'portmap' }] }

function parse(json: unknown, file = '/net.d/1.conflist'): ReturnType<typeof parseConfList> {
  return parseConfList(file, typeof json === 'string' ? json : JSON.stringify(json))
}

test('a conf list is read with what lighter needs, and its plugins stay as they are', () => {
  const parsed = parse({
    ...list,
    disableCheck: true,
    disableGC: true,
    loadOnlyInlinedPlugins: true,
    other: 1,
  })
  assert.deepEqual(parsed, {
    file: '/net.d/1.conflist',
    name: 'net',
    versions: ['1.0.0'],
    isCheckDisabled: true,
    isGcDisabled: true,
    plugins: [
      { type: 'bridge', capabilities: ['mac'], ipamType: 'host-local', json: bridge },
      { type: 'portmap', capabilities: [], ipamType: undefined, json: { type: 'portmap' } },
    ],
  })
})

test('a conf list that is rendered for the cache reads back the same', () => {
  const parsed = parse({ ...list, disableCheck: true, cniVersions: ['0.4.0'] })
  const again = parse(renderConfList(parsed, '0.4.0'))
  assert.deepEqual(again, { ...parsed, versions: ['0.4.0'] })
})

test('a single plugin conf becomes a list of one', () => {
  const json = { cniVersion: '0.3.1', name: 'one', ...bridge }
  for (const file of ['/net.d/1.conf', '/net.d/1.json']) {
    const parsed = parse(json, file)
    assert.deepEqual(
      [parsed.name, parsed.versions, parsed.plugins.map(plugin => plugin.json)],
      ['one', ['0.3.1'], [json]],
    )
  }
})

test('the default conf list is valid', () => {
  const parsed = parse(renderDefaultConfList({ bridge: 'lighter0', subnet: '10.88.0.0/16' }))
  assert.deepEqual(
    parsed.plugins.map(plugin => [plugin.type, plugin.ipamType, plugin.capabilities]),
    [
      ['bridge', 'host-local', []],
      ['portmap', undefined, ['portMappings']],
    ],
  )
})

const versions: readonly { readonly declared: object; readonly known: readonly string[] }[] = [
  { declared: {}, known: ['0.1.0'] },
  { declared: { cniVersion: '' }, known: ['0.1.0'] },
  { declared: { cniVersion: '0.3.0' }, known: ['0.3.0'] },
  { declared: { cniVersions: ['1.1.0', '0.4.0'] }, known: ['0.4.0', '1.1.0'] },
  { declared: { cniVersion: '1.0.0', cniVersions: ['1.1.0', '2.0.0', '1.0.0'] }, known: ['1.0.0', '1.1.0'] },
]

for (const { declared, known } of versions) {
  test(`${JSON.stringify(declared)} means ${known.join(', ')}`, () => {
    assert.deepEqual(parse({ name: 'net', plugins: [bridge], ...declared }).versions, known)
  })
}

const invalid: readonly { readonly json: unknown; readonly file?: string; readonly message: RegExp }[] = [
  { json: '', message: /not JSON/ },
  { json: '[]', message: /not a JSON object/ },
  { json: 'null', message: /not a JSON object/ },
  { json: '['.repeat(100_000), message: /not JSON/ },
  { json: `{"name":"net","plugins":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, message: /CNI conf file/ },
  { json: { ...list, name: undefined }, message: /"name" is missing/ },
  { json: { ...list, name: '../x' }, message: /"name" is "\.\.\/x"/ },
  { json: { ...list, name: 7 }, message: /"name" must be a text/ },
  { json: { ...list, plugins: undefined }, message: /"plugins" is missing or empty/ },
  { json: { ...list, plugins: [] }, message: /"plugins" is missing or empty/ },
  { json: { ...list, plugins: {} }, message: /"plugins" must be a list/ },
  { json: { ...list, plugins: ['bridge'] }, message: /"plugins" must be a list of objects/ },
  {
    json: { ...list, plugins: new Array(33).fill(bridge) },
    message: /"plugins" has 33 entries, more than 32/,
  },
  { json: { ...list, plugins: [{}] }, message: /a plugin has no "type"/ },
  { json: { ...list, plugins: [{ type: '../../bin/sh' }] }, message: /is not a file name/ },
  { json: { ...list, plugins: [{ type: '..' }] }, message: /is not a file name/ },
  { json: { ...list, plugins: [{ type: 'a\u0000b' }] }, message: /"type" must be a text without control/ },
  {
    json: { ...list, plugins: [{ type: 'a', capabilities: { mac: 'yes' } }] },
    message: /"mac" must be true or/,
  },
  { json: { ...list, disableCheck: 'yes' }, message: /"disableCheck" must be true or false/ },
  { json: { ...list, cniVersion: '9.9.9' }, message: /CNI version 9\.9\.9 is unknown: want one of 0\.1\.0/ },
  { json: { ...list, cniVersion: 1 }, message: /"cniVersion" must be a text/ },
  {
    json: '{"name":"n","plugins":[{"type":"a","rate":18446744073709551615}]}',
    message: /"rate" is a number that is too/,
  },
  { json: list, file: '/net.d/1.conf', message: /rename it so that it ends in \.conflist/ },
]

for (const { json, file, message } of invalid) {
  test(`a conf file with ${JSON.stringify(json).slice(0, 70)} is invalid: ${message.source}`, () => {
    assert.throws(
      () => parse(json, file),
      err => {
        assert.ok(isKind(err, 'invalid-argument'))
        assert.match(err.message, message)
        assert.match(err.message, /^CNI conf file \/net\.d\/1\./)
        return true
      },
    )
  })
}
