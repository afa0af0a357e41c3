import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ErrorKind, isKind } from '#base/errors'
import { makeTestDirectory } from '../testing/door-fixture.ts'
import { defaultText } from './default-text.ts'
import { type Config, defaultConfig, defaultHandler } from './defaults.ts'
import { parseFlags } from './flags.ts'
import { formatConfig } from './format.ts'
import { loadConfig, parseFile } from './load.ts'

/** Writes the files, loads them with the flags, and says where they are. */
async function load(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  ...flags: string[]
): Promise<{ readonly directory: string; readonly config: Config }> {
  const directory = await makeTestDirectory(t)
  await mkdir(join(directory, 'config.d'))
  const all = { 'config.yaml': '', ...files }
  for (const [name, text] of Object.entries(all)) await writeFile(join(directory, name), text)
  const config = await loadConfig(parseFlags(['--config', join(directory, 'config.yaml'), ...flags]))
  return { directory, config }
}

function refused(text: RegExp, kind: ErrorKind = 'invalid-argument') {
  return (err: unknown) => {
    assert.ok(isKind(err, kind), String(err))
    assert.match(err.message, text)
    return true
  }
}

test('the commented default loads, and is the default, key by key', () => {
  const loaded = parseFile(defaultText, 'default')
  assert.deepEqual(loaded, defaultConfig)
  assert.deepEqual(keysOf(loaded), keysOf(defaultConfig))
})

function keysOf(value: object): string[] {
  return Object.entries(value).flatMap(([key, part]: [string, unknown]) =>
    typeof part === 'object' && part !== null ? [key, ...keysOf(part)] : [key],
  )
}

test('every key of the commented default is explained', () => {
  const lines = defaultText.split('\n')
  const unexplained = lines.filter((line, index) => {
    const isSetting = /^ *\w+: \S/.test(line) && !/^ {6}/.test(line)
    const before = lines[index - 1] ?? ''
    return isSetting && !before.trim().startsWith('#') && !/limits|layerBytes/.test(before)
  })
  assert.deepEqual(unexplained, [])
})

test('the printed configuration loads as itself', async t => {
  const { config } = await load(t, { 'config.yaml': 'registries: {insecureHosts: ["a:5000", "yes", "1.0"]}' })
  const { config: again } = await load(t, { 'config.yaml': formatConfig(config) })
  assert.deepEqual(again, config)
})

test('later sources win: file, config.d by name, flags; maps are merged, the rest is replaced', async t => {
  const { config } = await load(
    t,
    {
      'config.yaml': 'root: /a\nstate: /sa\ncni: {confDir: /ca, binDirs: [/x, /y]}\nlog: {level: warn}\n',
      'config.d/20.yaml': 'root: /c\nlimits: {layerDownloads: 2}\n',
      'config.d/10.yaml':
        'root: /b\nlimits: {layerDownloads: 1, runtimeTimeoutMs: 5}\nruntimes: {handlers: {kata: {path: /k}}}\n',
      'config.d/ignored.yml': 'nonsense: true\n',
      'config.d/.hidden.yaml': 'nonsense: true\n',
    },
    ...['--state', '/sf', '--cni-bin-dir', '/z,/w', '--log-level', 'debug'],
  )
  assert.deepEqual(config, {
    ...defaultConfig,
    root: '/c',
    state: '/sf',
    cni: { confDir: '/ca', binDirs: ['/z', '/w'] },
    log: { level: 'debug' },
    limits: { ...defaultConfig.limits, layerDownloads: 2, runtimeTimeoutMs: 5 },
    runtimes: {
      default: 'runc',
      handlers: { runc: defaultHandler, kata: { ...defaultHandler, path: '/k' } },
    },
  })
})

test('files that hold nothing change nothing', async t => {
  for (const text of ['', '# only a comment\n', '---\n', 'null\n']) {
    assert.deepEqual((await load(t, { 'config.yaml': text })).config, defaultConfig)
  }
})

test('every flag has its key', async t => {
  const { config } = await load(
    t,
    {},
    ...['--root', '/r', '--state', '/s', '--listen', 'unix:///l.sock', '--cni-conf-dir', '/c'],
    ...['--cni-bin-dir', '/b', '--certs-dir', '/h', '--log-level', 'error'],
  )
  assert.deepEqual(config, {
    ...defaultConfig,
    root: '/r',
    state: '/s',
    listen: 'unix:///l.sock',
    cni: { confDir: '/c', binDirs: ['/b'] },
    registries: { ...defaultConfig.registries, certsDir: '/h' },
    log: { level: 'error' },
  })
})

test('the configuration cannot be changed', async t => {
  const { config } = await load(t, { 'config.yaml': 'cni: {binDirs: [/x]}' })
  for (const part of [config, config.cni, config.cni.binDirs, config.limits, config.runtimes.handlers]) {
    assert.ok(Object.isFrozen(part))
  }
})

const wrongFiles: readonly [string, RegExp][] = [
  ['rot: /a', /config\.yaml:1: unknown key "rot", the nearest valid key is "root"/],
  ['# a\n\ncni:\n  confdir: /x', /config\.yaml:4: unknown key "cni\.confdir", .* "cni\.confDir"/],
  ['confDir: /x', /:1: unknown key "confDir", .* "cni\.confDir"/],
  [
    'runtimes:\n  handlers:\n    kata:\n      pth: /k',
    /:4: unknown key "runtimes\.handlers\.kata\.pth", .*"runtimes\.handlers\.kata\.path"/,
  ],
  ['root: 5', /:1: "root" is 5, not string/],
  ['root: a/b', /:1: "root" is not an absolute path: "a\/b"/],
  ['log:\n  level: loud', /:2: "log\.level" is "loud", not \("debug" \| "info" \| "warn" \| "error"\)/],
  ['cni:\n  binDirs:\n    - /a\n    - b', /:4: "cni\.binDirs\[1\]" is not an absolute path: "b"/],
  ['cni:\n  binDirs: []', /:2: "cni\.binDirs" is empty/],
  ['cni: /a', /:1: "cni" is "\/a", not Object/],
  ['limits:\n  layerDownloads: 0', /:2: "limits\.layerDownloads" is less than 1: 0/],
  ['limits:\n  layerDownloads: 1.5', /:2: "limits\.layerDownloads" is not a whole number: 1\.5/],
  ['limits:\n  runtimeTimeoutMs: 99999999999', /:2: "limits\.runtimeTimeoutMs" is longer than/],
  ['listen: tcp://0.0.0.0:1', /:1: "listen" is not unix:\/\/\/PATH/],
  ['state: /a-directory-with-a-name-that-is-far-too-long', /:1: "state" is longer than 40 bytes/],
  ['runtimes:\n  handlers:\n    Up Per: {path: /k}', /:3: .*Up Per/],
  ['runtimes:\n  default: kata', /"runtimes\.default" is "kata", which is not one of .*: runc/],
  ['runtimes: {handlers: {kata: {path: /k, hooksDir: x}}}', /hooksDir" is not an absolute path/],
  [
    'runtimes: {handlers: {kata: {path: /k, allowedAnnotations: ["a*b"]}}}',
    /allowedAnnotations\[0\]" is not a name/,
  ],
  ['cdi: {specDirs: [cdi]}', /specDirs\[0\]" is not an absolute path/],
  ['checkpoint: {criuPath: bin/criu}', /"checkpoint\.criuPath" is neither "criu" nor an absolute path/],
  ['checkpoint: {criuPath: /usr/bin/crun}', /criuPath" is neither/],
  ['runtimes:\n  handlers:\n    kata: {}', /:3: "runtimes\.handlers\.kata\.path" is missing/],
  ['- a', /:1: /],
  ['just text', /:1: the configuration is not a map/],
  ['root: /a\nroot: /b', /:2: duplicated mapping key/],
  ['root: /a\n\tstate: /b', /:2: /],
  ['root: [', /config\.yaml:\d: /],
  ['a: &x /a\nroot: *x', /alias/],
  ['root: /a\n---\nroot: /b', /more than one document/],
  ['a: {'.repeat(200), /config\.yaml:1: /],
]

for (const [text, message] of wrongFiles) {
  test(`a wrong file is refused with its line: ${JSON.stringify(text.slice(0, 60))}`, async t => {
    await assert.rejects(load(t, { 'config.yaml': text }), refused(message))
  })
}

test('a wrong file in config.d is named', async t => {
  await assert.rejects(
    load(t, { 'config.d/50-mine.yaml': '\nrot: 1' }),
    refused(/config\.d\/50-mine\.yaml:2: .*"rot"/),
  )
})

const wrongFlags: readonly [readonly string[], RegExp][] = [
  [['--rot', '/a'], /--rot/],
  [['--root'], /--root/],
  [['--root', 'a'], /^--root: "root" is not an absolute path/],
  [['--log-level', 'loud'], /^--log-level: .*"loud"/],
  [['--cni-bin-dir', '/a,b'], /^--cni-bin-dir: "cni\.binDirs\[1\]"/],
  [['--listen', '/run/x.sock'], /^--listen: /],
  [['extra'], /extra/],
]

for (const [flags, message] of wrongFlags) {
  test(`a wrong flag is refused by its name: ${flags.join(' ')}`, async t => {
    await assert.rejects(load(t, {}, ...flags), refused(message))
  })
}

test('a configuration that was asked for must be there', async () => {
  await assert.rejects(
    loadConfig(parseFlags(['--config', '/nowhere/config.yaml'])),
    refused(/\/nowhere\/config\.yaml/, 'not-found'),
  )
})

test('a file that is far too large is not read', async t => {
  await assert.rejects(
    load(t, { 'config.yaml': '#'.repeat(1024 * 1024 + 1) }),
    refused(/config\.yaml/, 'resource-exhausted'),
  )
})
