import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RuntimeError } from '#base/errors'
import { parseConfList } from './conf-list.ts'
import { cniLimits } from './limits.ts'
import { pluginError } from './plugin-error.ts'
import { attachmentIps, parseResult, renderResult } from './result.ts'
import { supportedVersions } from './version.ts'

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('10.0.0.1/24', 'fd00::1/64', '10.0.0.1', 'eth0', '__proto__', -1, 1e308, 0),
)

/** An object of which every field may be right, wrong or missing. */
function loose(
  shape: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(shape).map(([key, good]) => [
    key,
    fc.oneof({ weight: 4, arbitrary: good }, value),
  ])
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] })
}

const cidr = fc.constantFrom('10.0.0.1/24', 'fd00::1/64')
const texts = fc.array(fc.string(), { maxLength: 3 })
const route = loose({ dst: cidr, gw: fc.constant('10.0.0.1'), mtu: fc.nat() })
const result = loose({
  interfaces: fc.array(loose({ name: fc.string(), mac: fc.string(), sandbox: fc.string() }), {
    maxLength: 3,
  }),
  ips: fc.array(loose({ address: cidr, gateway: fc.constant('10.0.0.1'), interface: fc.nat(4) }), {
    maxLength: 3,
  }),
  routes: fc.array(route, { maxLength: 3 }),
  dns: loose({ nameservers: texts, domain: fc.string(), search: texts, options: texts }),
})
const legacy = loose({ ip4: loose({ ip: cidr, gateway: fc.constant('10.0.0.1'), routes: fc.array(route) }) })

/** The value, or undefined if it was refused in the proper way. */
function orRefused<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (err) {
    assert.ok(err instanceof RuntimeError, String(err))
    assert.equal(err.kind, 'invalid-argument')
    assert.ok(err.message.length <= cniLimits.messageCharacters + 200)
    return undefined
  }
}

test('any result is either refused, or usable and stable in every version', () => {
  fc.assert(
    fc.property(fc.oneof(result, legacy), json => {
      const parsed = orRefused(() => parseResult(json))
      if (!parsed) return
      assert.ok(attachmentIps(parsed).length <= parsed.ips.length)
      for (const version of supportedVersions.slice(2)) {
        assert.deepEqual(parseResult(renderResult(parsed, version)), parsed)
      }
    }),
    { numRuns: 2_000 },
  )
})

const confList = loose({
  cniVersion: fc.constantFrom(...supportedVersions),
  cniVersions: fc.array(fc.constantFrom(...supportedVersions)),
  name: fc.constant('net'),
  disableCheck: fc.boolean(),
  plugins: fc.array(
    loose({ type: fc.constant('bridge'), capabilities: loose({ mac: fc.boolean() }), ipam: value }),
  ),
})

test('any conf file is either refused, or has a name, a version and a plugin', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        confList.map(json => JSON.stringify(json)),
        fc.string(),
      ),
      text => {
        const parsed = orRefused(() => parseConfList('/net.d/1.conflist', text))
        if (!parsed) return
        assert.ok(parsed.versions.length > 0 && parsed.plugins.length > 0)
        assert.match(parsed.name, /^[a-zA-Z0-9]/)
        assert.ok(parsed.plugins.every(({ type }) => !type.includes('/')))
      },
    ),
    { numRuns: 2_000 },
  )
})

test('any failure of a plugin is one bounded line', () => {
  const report = loose({ code: fc.integer(), msg: fc.string(), details: fc.string() }).map(json =>
    JSON.stringify(json),
  )
  const output = fc.oneof(
    report,
    fc.string(),
    fc.uint8Array().map(bytes => Buffer.from(bytes).toString('latin1')),
  )
  fc.assert(
    fc.property(output, output, (stdout, stderr) => {
      const ended = { exitCode: 1, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) }
      const { message } = pluginError('CNI plugin "x", ADD', ended)
      assert.match(message, /^CNI plugin "x", ADD: .+$/)
      assert.doesNotMatch(message, /\p{Cc}/u)
      assert.ok(message.length <= 2 * cniLimits.messageCharacters + 100)
    }),
    { numRuns: 2_000 },
  )
})
