import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { formatReference, parseReference } from './reference.ts'

const digest = `sha256:${'ab'.repeat(32)}`

const good: readonly (readonly [string, string])[] = [
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['user/busybox', 'docker.io/user/busybox:latest'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['index.docker.io/library/busybox:a', 'docker.io/library/busybox:a'],
  ['localhost/busybox', 'localhost/busybox:latest'],
  ['localhost:5000/a/b/c:T_a.g-1', 'localhost:5000/a/b/c:T_a.g-1'],
  ['[::1]:5000/busybox', '[::1]:5000/busybox:latest'],
  ['127.0.0.1:5000/busybox', '127.0.0.1:5000/busybox:latest'],
  ['registry.k8s.io/e2e-test-images/busybox:1.29-2', 'registry.k8s.io/e2e-test-images/busybox:1.29-2'],
  ['Host/busybox', 'Host/busybox:latest'],
  ['a__b/c-----d', 'docker.io/a__b/c-----d:latest'],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`],
  [`quay.io/x/y:tag@${digest}`, `quay.io/x/y@${digest}`],
  [`quay.io/x/y:${'t'.repeat(128)}`, `quay.io/x/y:${'t'.repeat(128)}`],
  [`quay.io/${'p'.repeat(255)}`, `quay.io/${'p'.repeat(255)}:latest`],
]

for (const [text, full] of good) {
  test(`${text.slice(0, 60)} means ${full.slice(0, 60)}`, () => {
    const parsed = parseReference(text)
    assert.equal(formatReference(parsed), full)
    assert.deepEqual(parseReference(formatReference(parsed)), parsed)
  })
}

const bad: readonly string[] = [
  '',
  ':',
  ':latest',
  '/',
  'busybox:',
  'busybox:tag:tag',
  'busybox@',
  'busybox@sha256:abc',
  `busybox@${digest}@${digest}`,
  `busybox@sha512:${'ab'.repeat(64)}`,
  'Busybox',
  'quay.io/Upper/case',
  'quay.io//double',
  'quay.io/trailing/',
  '/leading',
  'a..b',
  'a___b',
  '-a',
  'a-',
  'quay.io/../../etc/passwd',
  'quay.io/a b',
  'quay.io/a\nb',
  'quay.io/a\0',
  'quay.io/a%2e%2e',
  'exa_mple.com/a',
  '-x.example.com/a',
  'example.com:port/a',
  'example.com:123456/a',
  '[::1/a',
  'user@example.com/a',
  'https://quay.io/a',
  `busybox:${'t'.repeat(129)}`,
  `busybox:.dot`,
  `quay.io/${'p'.repeat(256)}`,
  'a'.repeat(2000),
  'ab'.repeat(32),
]

for (const text of bad) {
  test(`${JSON.stringify(text).slice(0, 60)} is refused as malformed`, () => {
    assert.throws(
      () => parseReference(text),
      err => isKind(err, 'invalid-argument') && err.message.includes('image reference'),
    )
  })
}

test('a hostile reference is refused in no time', () => {
  const start = performance.now()
  assert.throws(() => parseReference(`a${'-'.repeat(500)}${'_a'.repeat(240)}!`))
  assert.ok(performance.now() - start < 100)
})
