import assert from 'node:assert/strict'
import test from 'node:test'
import type { BuiltImage } from '../../deploy/demo/image-builder.ts'
import { localPlatform } from '../../deploy/demo/image-builder.ts'
import { createTestImages } from './test-images.ts'

test('the images have the names, tags and users that the upstream suite asks for', async () => {
  const images = new Map<string, BuiltImage>()
  await createTestImages({ put: (name, tag, image) => images.set(`${name}:${tag}`, image) })
  const digest = (name: string): string => images.get(name)?.digest ?? name
  const user = (name: string): string => {
    const image = images.get(`k8s-staging-cri-tools/test-image-${name}:latest`)
    const config = image?.blobs.get(image.configDigest)?.toString() ?? ''
    return /"User":"([^"]*)"/.exec(config)?.[1] ?? ''
  }
  for (const name of [
    'e2e-test-images/busybox:1.29-2',
    'e2e-test-images/nginx:1.14-2',
    'e2e-test-images/httpd:2.4.39-4',
    'e2e-test-images/nonewprivs:1.3',
    'pause:3.9',
    'k8s-staging-cri-tools/test-image-latest:latest',
    `k8s-staging-cri-tools/hostnet-nginx-${localPlatform().architecture}:latest`,
  ]) {
    assert.ok(images.has(name), name)
  }
  const staging = 'k8s-staging-cri-tools/test-image'
  const numbers = ['1', '2', '3'] as const
  assert.equal(new Set(numbers.map(tag => digest(`${staging}-tags:${tag}`))).size, 1, 'one image, three tags')
  assert.equal(new Set(numbers.map(name => digest(`${staging}-${name}:latest`))).size, 3, 'three images')
  assert.notEqual(digest(`${staging}-tag:test`), digest(`${staging}-tag:all`))
  assert.deepEqual(
    ['user-uid', 'user-username', 'user-uid-group', 'user-username-group', 'predefined-group'].map(user),
    ['1002', 'www-data', '1003:1004', 'www-data:1004', '1000'],
  )
})
