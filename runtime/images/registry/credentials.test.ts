import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import type { RegistryAuth } from '../../model/image.ts'
import { type Credentials, credentialsFor } from './credentials.ts'

const none: RegistryAuth = {
  username: '',
  password: '',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
}
const registry = { url: new URL('https://reg.example:5000/v2'), isRegistryItself: true }
const mirror = { url: new URL('https://mirror.example/v2'), isRegistryItself: false }
const base64 = (text: string) => Buffer.from(text).toString('base64')

const precedence: readonly (readonly [string, Partial<RegistryAuth>, Credentials])[] = [
  ['nothing', {}, { type: 'none' }],
  [
    'a user before everything else',
    { username: 'u', password: 'p', auth: base64('x:y'), identityToken: 'i', registryToken: 'r' },
    { type: 'password', username: 'u', password: 'p' },
  ],
  [
    'auth before tokens',
    { auth: base64('x:y:z'), identityToken: 'i', registryToken: 'r' },
    { type: 'password', username: 'x', password: 'y:z' },
  ],
  [
    'auth with padding of NULs, as some clients send it',
    { auth: base64('x:y\0\0') },
    { type: 'password', username: 'x', password: 'y' },
  ],
  [
    'an identity token before a registry token',
    { identityToken: 'i', registryToken: 'r' },
    { type: 'identity', token: 'i' },
  ],
  ['a registry token', { registryToken: 'r' }, { type: 'bearer', token: 'r' }],
]

for (const [name, auth, expected] of precedence) {
  test(`credentials: ${name}`, () => {
    assert.deepEqual(credentialsFor({ ...none, ...auth }, registry, 'reg.example:5000'), expected)
  })
}

test('without auth there are no credentials', () => {
  assert.deepEqual(credentialsFor(undefined, registry, 'reg.example:5000'), { type: 'none' })
})

const hub = { url: new URL('https://registry-1.docker.io/v2'), isRegistryItself: true }
const recipients = [
  { address: '', endpoint: registry, domain: 'reg.example:5000', isSent: true },
  { address: '', endpoint: mirror, domain: 'reg.example:5000', isSent: false },
  { address: 'reg.example:5000', endpoint: registry, domain: 'reg.example:5000', isSent: true },
  { address: 'https://reg.example:5000/v1/', endpoint: registry, domain: 'reg.example:5000', isSent: true },
  { address: 'https://reg.example', endpoint: registry, domain: 'reg.example:5000', isSent: false },
  { address: 'other.example', endpoint: registry, domain: 'reg.example:5000', isSent: false },
  { address: 'reg.example:5000', endpoint: mirror, domain: 'reg.example:5000', isSent: false },
  { address: 'mirror.example', endpoint: mirror, domain: 'reg.example:5000', isSent: true },
  { address: 'https://index.docker.io/v1/', endpoint: hub, domain: 'docker.io', isSent: true },
  { address: 'docker.io', endpoint: hub, domain: 'docker.io', isSent: true },
] as const

for (const { address, endpoint, domain, isSent } of recipients) {
  test(`credentials for "${address}" are ${isSent ? 'sent' : 'not sent'} to ${endpoint.url.host} for ${domain}`, () => {
    const auth = { ...none, username: 'u', password: 'p', serverAddress: address }
    assert.equal(credentialsFor(auth, endpoint, domain).type, isSent ? 'password' : 'none')
  })
}

for (const auth of ['%%%', base64('no colon')]) {
  test(`auth "${auth}" is refused without being repeated`, () => {
    assert.throws(
      () => credentialsFor({ ...none, auth }, registry, 'reg.example:5000'),
      err => isKind(err, 'invalid-argument') && !err.message.includes(auth),
    )
  })
}
