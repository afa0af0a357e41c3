import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { makeTestDirectory } from '../testing/door-fixture.ts'
import { type Config, defaultConfig } from './defaults.ts'
import { parseFlags } from './flags.ts'
import { loadConfig } from './load.ts'

async function load(t: TestContext, text: string): Promise<Config['streaming']> {
  const path = join(await makeTestDirectory(t), 'config.yaml')
  await writeFile(path, text)
  return (await loadConfig(parseFlags(['--config', path]))).streaming
}

const good: readonly (readonly [string, Partial<Config['streaming']>])[] = [
  ['{port: 10010}', { port: 10010 }],
  ['{address: "::1", idleTimeoutMs: 1000}', { address: '::1', idleTimeoutMs: 1000 }],
  ['{address: 127.9.9.9}', { address: '127.9.9.9' }],
  ['{address: 10.0.0.1, allowPlainHttp: true}', { address: '10.0.0.1', allowPlainHttp: true }],
  [
    '{address: 0.0.0.0, tls: {certFile: /c, keyFile: /k}}',
    { address: '0.0.0.0', tls: { ...defaultConfig.streaming.tls, certFile: '/c', keyFile: '/k' } },
  ],
]

for (const [text, values] of good) {
  test(`streaming: ${text} is understood`, async t => {
    assert.deepEqual(await load(t, `streaming: ${text}`), { ...defaultConfig.streaming, ...values })
  })
}

const wrong: readonly (readonly [string, RegExp])[] = [
  ['{address: 0.0.0.0}', /"streaming\.address" is "0\.0\.0\.0", which other machines can reach/],
  ['{address: "::"}', /which other machines can reach/],
  ['{address: localhost}', /"streaming\.address" is not an IP address: "localhost"/],
  ['{port: 65536}', /"streaming\.port" is more than 65535/],
  ['{port: -1}', /"streaming\.port" is less than 0/],
  ['{tls: {certFile: /c}}', /"streaming\.tls" needs both/],
  ['{tls: {keyFile: /k}}', /"streaming\.tls" needs both/],
  ['{tls: {clientCaFile: /ca}}', /"streaming\.tls\.clientCaFile" needs/],
  ['{tls: {certFile: c, keyFile: /k}}', /"streaming\.tls\.certFile" is not an absolute path/],
  ['{tls: {minVersion: TLSv1.1}}', /"streaming\.tls\.minVersion" is "TLSv1\.1"/],
  ['{idleTimeoutMs: 0}', /"streaming\.idleTimeoutMs" is less than 1/],
  ['{adress: 127.0.0.1}', /unknown key "streaming\.adress", the nearest valid key is "streaming\.address"/],
]

for (const [text, message] of wrong) {
  test(`streaming: ${text} is refused`, async t => {
    await assert.rejects(
      load(t, `streaming: ${text}`),
      (err: unknown) => isKind(err, 'invalid-argument') && message.test(err.message),
    )
  })
}
