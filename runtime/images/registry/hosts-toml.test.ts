import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { parseHostsFile } from './hosts-toml.ts'

const file = { path: '/certs/reg/hosts.toml', directory: '/certs/reg' }
const parse = (text: string) => parseHostsFile(text, file)

test('hosts come in the order of the file, the server last', () => {
  const { entries } = parse(`
    server = "https://registry-1.docker.io"
    [host."https://public.example"]
      capabilities = ["pull"]
    [host."http://10.0.0.1:5000"]
      capabilities = ["pull", "resolve", "push"]
    [host."internal.example:8443/prefix"]
  `)
  assert.deepEqual(
    entries.map(entry => [entry.url?.href, entry.canPull, entry.canResolve]),
    [
      ['https://public.example/v2', true, false],
      ['http://10.0.0.1:5000/v2', true, true],
      ['https://internal.example:8443/prefix/v2', true, true],
      ['https://registry-1.docker.io/v2', true, true],
    ],
  )
})

test('without a server the last entry is the registry itself', () => {
  const { entries } = parse('[host."https://m.example"]\n')
  assert.deepEqual(
    entries.map(entry => entry.url?.host),
    ['m.example', undefined],
  )
})

test('all settings of a host are read', () => {
  const { entries, unknownKeys } = parse(`
    surprise = 1
    [host."https://m.example/v2/upstream"]
      override_path = true
      skip_verify = true
      ca = ["one.crt", "/abs/two.crt"]
      client = [["c.cert", "c.key"], ["both.pem", ""], "/abs/both.pem"]
      dial_timeout = "1.5s"
      rewrite = "x"
      [host."https://m.example/v2/upstream".header]
        X-One = "1"
        x-two = ["a", "b"]
  `)
  const entry = entries[0]
  assert.deepEqual(entry, {
    url: new URL('https://m.example/v2/upstream'),
    canPull: true,
    canResolve: true,
    skipsVerify: true,
    caFiles: ['/certs/reg/one.crt', '/abs/two.crt'],
    clientFiles: [
      { certificate: '/certs/reg/c.cert', key: '/certs/reg/c.key' },
      { certificate: '/certs/reg/both.pem', key: '' },
      { certificate: '/abs/both.pem', key: '' },
    ],
    headers: [
      ['x-one', '1'],
      ['x-two', 'a, b'],
    ],
    connectTimeoutMs: 1500,
  })
  assert.deepEqual(unknownKeys, ['surprise', 'host."https://m.example/v2/upstream".rewrite'])
})

const paths: readonly (readonly [string, boolean, string])[] = [
  ['https://m.example', false, 'https://m.example/v2'],
  ['https://m.example/', false, 'https://m.example/v2'],
  ['https://m.example/v2/', false, 'https://m.example/v2'],
  ['https://m.example/a', false, 'https://m.example/a/v2'],
  ['https://m.example/a', true, 'https://m.example/a'],
]

for (const [address, overrides, expected] of paths) {
  test(`${address} ${overrides ? 'with' : 'without'} override_path is ${expected}`, () => {
    const { entries } = parse(`[host."${address}"]\noverride_path = ${String(overrides)}\n`)
    assert.equal(entries[0]?.url?.href, expected)
  })
}

const broken: readonly string[] = [
  'server = 1',
  'server = "https://user:secret@reg.example"',
  'server = "https://"',
  '[host."https://a"',
  'host = "https://a"',
  'host."https://a" = "b"',
  'capabilities = ["fly"]',
  'capabilities = "pull,"',
  'skip_verify = "yes"',
  'override_path = 1',
  'ca = [1]',
  'client = [["a", "b", "c"]]',
  'client = [[]]',
  'header = "a"',
  '[header]\n"a b" = "c"',
  '[header]\na = "b\\nc"',
  'dial_timeout = "soon"',
  Array.from({ length: 40 }, (_, index) => `[host."https://h${String(index)}"]`).join('\n'),
]

for (const text of broken) {
  test(`${JSON.stringify(text).slice(0, 50)} is refused with the name of the file`, () => {
    assert.throws(
      () => parse(text),
      err => isKind(err, 'failed-precondition') && err.message.startsWith('/certs/reg/hosts.toml: '),
    )
  })
}
