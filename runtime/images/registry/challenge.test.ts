import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseChallenges } from './challenge.ts'

const cases: readonly (readonly [string, readonly (readonly [string, Record<string, string>])[]])[] = [
  ['', []],
  ['Basic', [['basic', {}]]],
  ['Basic realm="a b"', [['basic', { realm: 'a b' }]]],
  [
    'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        { realm: 'https://auth.example/token', service: 'registry', scope: 'repository:a/b:pull,push' },
      ],
    ],
  ],
  [
    'Negotiate, BEARER Realm = "https://x/" , service=y, Basic realm="z"',
    [
      ['negotiate', {}],
      ['bearer', { realm: 'https://x/', service: 'y' }],
      ['basic', { realm: 'z' }],
    ],
  ],
  ['Bearer realm="a\\"b\\\\c"', [['bearer', { realm: 'a"b\\c' }]]],
  ['Bearer error="invalid_token"', [['bearer', { error: 'invalid_token' }]]],
  ['Bearer realm="never closed', [['bearer', { realm: '' }]]],
  ['realm="no scheme"', []],
  ['"', []],
  [`Bearer realm="${'x'.repeat(9000)}"`, []],
]

for (const [header, expected] of cases) {
  test(`the challenges of ${JSON.stringify(header).slice(0, 60)} are read`, () => {
    const found = parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ])
    assert.deepEqual(found, expected)
  })
}

test('a hostile header is read in no time', () => {
  const start = performance.now()
  for (const piece of ['a="\\', 'a=', ' ,', '"\\"'])
    parseChallenges(`Bearer ${piece.repeat(2000)}`.slice(0, 8000))
  assert.ok(performance.now() - start < 500)
})
