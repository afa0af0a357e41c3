import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfList } from './conf-list.ts'
import { parseJsonObject } from './json.ts'
import { hasNothingToDo, type RequestInput, renderRequest } from './request.ts'
import { parseResult } from './result.ts'

function inputFor(plugin: object, changes: Partial<RequestInput> = {}, index = 1): RequestInput {
  const plugins = index === 0 ? [plugin] : [{ type: 'bridge' }, plugin]
  const text = JSON.stringify({ cniVersion: '0.4.0', name: 'net', plugins })
  const list = parseConfList('/net.d/1.conflist', text)
  const chosen = list.plugins[index]
  if (!chosen) throw new Error('no such plugin')
  return { list, plugin: chosen, version: '0.4.0', ...changes }
}

test('the request is the plugin object with name and version of the list', () => {
  const plugin = { type: 'x', name: 'own', cniVersion: '0.1.0', args: { a: 1 }, deep: { list: [1, null] } }
  assert.deepEqual(parseJsonObject(renderRequest(inputFor(plugin))), {
    ...plugin,
    name: 'net',
    cniVersion: '0.4.0',
  })
})

test('keys that are the runtime’s do not come from the file', () => {
  const plugin = {
    type: 'x',
    capabilities: {},
    runtimeConfig: { portMappings: [1] },
    prevResult: { ips: [] },
    'cni.dev/valid-attachments': [],
  }
  assert.deepEqual(parseJsonObject(renderRequest(inputFor(plugin))), {
    type: 'x',
    name: 'net',
    cniVersion: '0.4.0',
  })
})

test('runtimeConfig holds the capabilities that are both declared and given', () => {
  const portMappings = [{ hostPort: 80, containerPort: 8080, protocol: 'tcp' }]
  const plugin = { type: 'x', capabilities: { portMappings: true, dns: false, mac: true } }
  const capabilities = { portMappings, dns: { servers: [] }, bandwidth: { ingressRate: 1 }, mac: undefined }
  const request = parseJsonObject(renderRequest(inputFor(plugin, { capabilities })))
  assert.deepEqual(request['runtimeConfig'], { portMappings })
})

test('prevResult has the version of the list', () => {
  const previous = parseResult({ cniVersion: '1.0.0', ips: [{ address: '10.0.0.2/24' }] })
  const request = parseJsonObject(renderRequest(inputFor({ type: 'x' }, { previous })))
  assert.deepEqual(request['prevResult'], {
    cniVersion: '0.4.0',
    interfaces: [],
    ips: [{ version: '4', address: '10.0.0.2/24' }],
    routes: [],
    dns: { nameservers: [], domain: '', search: [], options: [] },
  })
})

const declared = { type: 'portmap', capabilities: { portMappings: true } }
const cases: readonly { readonly name: string; readonly input: RequestInput; readonly isIdle: boolean }[] = [
  { name: 'portmap without mappings', input: inputFor(declared), isIdle: true },
  {
    name: 'portmap with an empty list',
    input: inputFor(declared, { capabilities: { portMappings: [] } }),
    isIdle: true,
  },
  { name: 'portmap that is not told mappings', input: inputFor({ type: 'portmap' }), isIdle: true },
  {
    name: 'portmap with a mapping',
    input: inputFor(declared, { capabilities: { portMappings: [{}] } }),
    isIdle: false,
  },
  { name: 'portmap at the head of a list', input: inputFor(declared, {}, 0), isIdle: false },
  { name: 'another plugin', input: inputFor({ type: 'tuning' }), isIdle: false },
]

for (const { name, input, isIdle } of cases) {
  test(`${name} is ${isIdle ? 'left out' : 'run'}`, () => {
    assert.equal(hasNothingToDo(input.plugin, input), isIdle)
  })
}
