import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { imageMethods } from '../../cri/grpc/methods.ts'
import { busyboxLayer } from '../../deploy/demo/busybox-image.ts'
import { type BuiltImage, buildImage } from '../../deploy/demo/image-builder.ts'
import type { FaultRule } from '../../deploy/demo/registry-faults.ts'
import type { LayerEntry } from '../../deploy/demo/tar-writer.ts'
import { type CodeName, fails } from '../harness/expect.ts'
import { freePort } from '../harness/http.ts'
import { useWorld } from '../harness/world.ts'

// Retries after an error of the registry are part of a pull, so these take a few seconds.
const story = useWorld({ config: 'limits:\n  pullProgressTimeoutMs: 2000\n' })

/** An image whose layers nobody has seen: `text` makes it different. */
async function freshImage(text: string): Promise<BuiltImage> {
  const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919 + text.length * 31) & 0xff))
  return buildImage({
    layers: [
      { entries: [{ type: 'file', path: `name-${text}`, content: text }] },
      { entries: [{ type: 'file', path: 'noise', content: noise }], compression: 'none' },
    ],
    config: { cmd: ['/nothing'] },
  })
}

interface Fault {
  readonly what: string
  readonly rule: FaultRule
  readonly code: CodeName
  readonly text: RegExp
}

const faults: readonly Fault[] = [
  {
    what: 'has no such manifest',
    rule: { kind: 'manifest', fault: { type: 'status', status: 404 } },
    code: 'notFound',
    text: /e2e\/faulty/,
  },
  {
    what: 'forbids the pull',
    rule: { kind: 'manifest', fault: { type: 'status', status: 403 } },
    code: 'permissionDenied',
    text: /e2e\/faulty/,
  },
  {
    what: 'always answers 500',
    rule: { kind: 'manifest', fault: { type: 'status', status: 500 } },
    code: 'unknown',
    text: /^RegistryUnavailable: .*500/s,
  },
  {
    what: 'always answers 429',
    rule: { kind: 'blob', fault: { type: 'status', status: 429, retryAfterSeconds: 0 } },
    code: 'unknown',
    text: /^RegistryUnavailable: .*429/s,
  },
  {
    what: 'never answers',
    rule: { kind: 'manifest', fault: { type: 'never-answers' } },
    code: 'unknown',
    text: /^RegistryUnavailable: /,
  },
  {
    what: 'stops in the middle of a layer',
    rule: { kind: 'blob', fault: { type: 'stalled' } },
    code: 'unknown',
    text: /^RegistryUnavailable: /,
  },
  {
    what: 'cuts the connection in the middle of every layer',
    rule: { kind: 'blob', fault: { type: 'cut', afterBytes: 100 } },
    code: 'unknown',
    text: /^RegistryUnavailable: /,
  },
  {
    what: 'sends a layer that is not what its digest says',
    rule: { kind: 'blob', fault: { type: 'wrong-bytes' } },
    code: 'dataLoss',
    text: /sha256:/,
  },
  {
    what: 'sends more than the size says',
    rule: { kind: 'blob', fault: { type: 'oversized', extraBytes: 1000 } },
    code: 'dataLoss',
    text: /size|bytes/,
  },
  {
    what: 'sends an endless manifest',
    rule: { kind: 'manifest', method: 'GET', fault: { type: 'oversized', extraBytes: 64 * 1024 * 1024 } },
    code: 'resourceExhausted',
    text: /e2e\/faulty.*longer than/,
  },
]

for (const { what, rule, code, text } of faults) {
  test(
    `a registry that ${what} fails the pull, and the next one works`,
    story(async s => {
      const image = await freshImage(what.replaceAll(' ', '-'))
      const reference = s.registry.put('e2e/faulty', '1', image)
      s.registry.faults.add(rule)
      try {
        await fails(s.cri.pull(reference), code, text)
      } finally {
        s.registry.faults.clear()
      }
      assert.ok(!(await s.cri.listImages()).includes(image.configDigest))
      await s.auditor.assertNothingLeft()
      assert.equal(await s.cri.pull(reference), image.configDigest)
    }),
  )
}

for (const { what, rule } of [
  { what: 'fails once', rule: { kind: 'manifest', fault: { type: 'status', status: 503 }, times: 1 } },
  { what: 'cuts a layer once', rule: { kind: 'blob', fault: { type: 'cut', afterBytes: 1000 }, times: 1 } },
  {
    what: 'is slow but steady',
    rule: { kind: 'blob', fault: { type: 'slow', pieceBytes: 100_000, pauseMs: 200 } },
  },
] as const) {
  test(
    `a registry that ${what} does not fail the pull`,
    story(async s => {
      const image = await freshImage(what.replaceAll(' ', '-'))
      const reference = s.registry.put('e2e/flaky', '1', image)
      s.registry.faults.add(rule)
      try {
        assert.equal(await s.cri.pull(reference), image.configDigest)
      } finally {
        s.registry.faults.clear()
      }
    }),
  )
}

test(
  'a registry that is down is named in the error',
  story(async s => {
    const host = `127.0.0.1:${String(await freePort())}`
    await fails(
      s.cri.pull(`${host}/e2e/any:1`),
      'unknown',
      new RegExp(`^RegistryUnavailable: .*${host}`, 's'),
    )
  }),
)

test(
  'a pull that is given up, by deadline or by hand, ends at once and leaves nothing',
  story(async s => {
    const image = await freshImage('given-up')
    const reference = s.registry.put('e2e/slow', '1', image)
    s.registry.faults.add({ kind: 'blob', fault: { type: 'slow', pieceBytes: 1000, pauseMs: 500 } })
    try {
      const request = { image: { image: reference } }
      await fails(
        s.cri.client.call(imageMethods.PullImage, request, { timeoutMs: 500 }),
        'deadlineExceeded',
        /./,
      )
      const byHand = new AbortController()
      const pull = s.cri.client.call(imageMethods.PullImage, request, { signal: byHand.signal })
      setTimeout(() => {
        byHand.abort()
      }, 300)
      await fails(pull, 'cancelled', /./)
      await s.auditor.assertNothingLeft()
    } finally {
      s.registry.faults.clear()
    }
  }),
)

test(
  'a diff id that is not that of the layer is refused',
  story(async s => {
    const image = await freshImage('diff-id')
    const lying = withConfig(image, config => ({
      ...config,
      rootfs: { type: 'layers', diff_ids: image.layers.map(() => `sha256:${'a'.repeat(64)}`) },
    }))
    await fails(s.cri.pull(s.registry.put('e2e/lying', '1', lying)), 'dataLoss', /sha256:a{64}/)
  }),
)

for (const { what, change } of [
  { what: 'no JSON', change: () => '{"rootfs":' },
  { what: 'without diff ids', change: () => ({ rootfs: { type: 'layers', diff_ids: [] } }) },
  { what: 'deeply nested', change: () => '['.repeat(100_000) },
]) {
  test(
    `an image config that is ${what} is refused`,
    story(async s => {
      const image = withConfig(await freshImage(what.replaceAll(' ', '-')), change)
      await assert.rejects(s.cri.pull(s.registry.put('e2e/config', '1', image)), /config/)
      assert.ok(s.daemon.isRunning())
    }),
  )
}

/** The same layers with another config. */
function withConfig(image: BuiltImage, change: (config: Record<string, unknown>) => unknown): BuiltImage {
  const digest = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const old = image.blobs.get(image.configDigest) ?? Buffer.alloc(0)
  const changed = change(JSON.parse(old.toString()) as Record<string, unknown>)
  const config = Buffer.from(typeof changed === 'string' ? changed : JSON.stringify(changed))
  const manifest = JSON.parse(image.manifest.toString()) as { readonly config: object }
  const bytes = Buffer.from(
    JSON.stringify({
      ...manifest,
      config: { ...manifest.config, digest: digest(config), size: config.length },
    }),
  )
  const blobs = new Map(image.blobs).set(digest(config), config)
  return { ...image, manifest: bytes, digest: digest(bytes), configDigest: digest(config), blobs }
}

const deep = Array.from({ length: 400 }, () => 'd').join('/')

const hostile: readonly {
  readonly what: string
  readonly entries: (outside: string) => readonly LayerEntry[]
}[] = [
  {
    what: 'dots',
    entries: outside => [{ type: 'file', path: `${'../'.repeat(20)}${outside.slice(1)}/dots`, content: 'x' }],
  },
  {
    what: 'an absolute path',
    entries: outside => [{ type: 'file', path: `${outside}/absolute`, content: 'x' }],
  },
  {
    what: 'a link to a directory outside',
    entries: outside => [
      { type: 'symlink', path: 'way', target: outside },
      { type: 'file', path: 'way/through', content: 'x' },
    ],
  },
  {
    what: 'a hard link to a file outside',
    entries: outside => [
      { type: 'hardlink', path: 'hard', target: `${'../'.repeat(20)}${outside.slice(1)}/victim` },
      { type: 'file', path: 'hard', content: 'overwritten' },
    ],
  },
  {
    what: 'a whiteout outside',
    entries: outside => [{ type: 'whiteout', path: `${'../'.repeat(20)}${outside.slice(1)}/victim` }],
  },
  { what: 'very deep paths', entries: () => [{ type: 'directory', path: deep }] },
  { what: 'garbage', entries: () => [{ type: 'raw', bytes: Buffer.alloc(4096, 0x5a) }] },
]

for (const { what, entries } of hostile) {
  test(
    `a layer with ${what} touches nothing outside of its root`,
    story(async s => {
      const outside = join(s.scratch.dir, 'outside')
      await mkdir(outside, { recursive: true })
      await writeFile(join(outside, 'victim'), 'untouched')
      const before = (await stat(join(outside, 'victim'))).nlink
      const image = await buildImage({
        layers: [await busyboxLayer(), { entries: entries(outside) }],
        config: { cmd: ['sh'] },
      })
      const reference = s.registry.put('e2e/hostile', '1', image)
      const outcome = await s.cri.pull(reference).then(
        () => 'pulled',
        (err: unknown) => String(err),
      )
      assert.deepEqual(await readdir(outside), ['victim'])
      assert.equal(await readFile(join(outside, 'victim'), 'utf8'), 'untouched')
      assert.equal((await stat(join(outside, 'victim'))).nlink, before)
      if (outcome !== 'pulled') assert.match(outcome, /layer|tar|entry|unpack/)
    }),
  )
}
