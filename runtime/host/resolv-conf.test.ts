import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import type { DnsConfig } from '../model/pod.ts'
import { renderResolvConf, resolvConf } from './resolv-conf.ts'

describe('the resolv.conf of a pod', () => {
  let paths: { readonly host: string; readonly systemd: string }
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-resolv-'))
    paths = { host: join(directory, 'host'), systemd: join(directory, 'systemd') }
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('is what the client asked for', async () => {
    await writeFile(paths.host, 'nameserver 9.9.9.9\n')
    const dns = {
      servers: ['10.0.0.10', 'fd00::10'],
      searches: ['default.svc.cluster.local', '.'],
      options: ['ndots:5', 'edns0'],
    }
    assert.equal(
      await resolvConf(dns, paths),
      'search default.svc.cluster.local .\nnameserver 10.0.0.10\nnameserver fd00::10\noptions ndots:5 edns0\n',
    )
  })

  it('is empty when the client asked for nothing at all', async () => {
    await writeFile(paths.host, 'nameserver 9.9.9.9\n')
    assert.equal(await resolvConf({ servers: [], searches: [], options: [] }, paths), '')
  })

  const stub = 'nameserver 127.0.0.53\noptions edns0\n'
  const cases = [
    {
      name: "the host's",
      host: '# mine\nnameserver 9.9.9.9\n',
      systemd: 'nameserver 8.8.8.8\n',
      expected: 'host',
    },
    {
      name: "systemd-resolved's upstream instead of its stub",
      host: stub,
      systemd: 'nameserver 8.8.8.8\n',
      expected: 'systemd',
    },
    { name: 'the stub when there is nothing better', host: stub, systemd: undefined, expected: 'host' },
    {
      name: "the host's when it asks others besides the stub",
      host: `${stub}nameserver 9.9.9.9\n`,
      systemd: 'x',
      expected: 'host',
    },
  ] as const
  for (const { name, expected, ...texts } of cases) {
    it(`is ${name} when the client does not care`, async () => {
      await writeFile(paths.host, texts.host)
      if (texts.systemd !== undefined) await writeFile(paths.systemd, texts.systemd)
      assert.equal(await resolvConf(undefined, paths), texts[expected])
    })
  }

  it('is empty on a host without one', async () => {
    assert.equal(await resolvConf(undefined, paths), '')
  })

  const wrong: readonly Partial<DnsConfig>[] = [
    { servers: ['10.0.0.1\nsearch evil'] },
    { searches: ['a b'] },
    { options: [''] },
    { options: ['x\0'] },
  ]
  for (const change of wrong) {
    it(`is refused for ${JSON.stringify(change)}`, () => {
      assert.throws(
        () => renderResolvConf({ servers: [], searches: [], options: [], ...change }),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }
})
