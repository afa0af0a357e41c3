import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError, readFileIfExists } from '#base/files'
import { isLoopback } from '../streaming/address.ts'
import { type Config, configFile, defaultConfig, defaultHandler, freeze } from './defaults.ts'
import type { Flags } from './flags.ts'
import { parseYaml } from './parse-yaml.ts'
import type { FileConfig } from './schema.ts'
import { validate } from './validate.ts'

/** Larger is not a configuration. */
const limits = { fileBytes: 1024 * 1024, dropIns: 256 } as const

/**
 * The effective configuration: defaults, then the file, then config.d/*.yaml beside it in the order of their names,
 * then the flags. Maps are merged, everything else is replaced. Errors: `invalid-argument` naming file, line and key;
 * `not-found` when a file that was asked for is not there.
 */
export async function loadConfig(flags: Flags): Promise<Config> {
  const file = flags.config ?? configFile
  const sources: FileConfig[] = []
  const main = await loadFile(file)
  if (main) sources.push(main)
  else if (flags.config !== undefined)
    throw new RuntimeError('not-found', `there is no configuration ${file}`)
  for (const dropIn of await listDropIns(join(dirname(file), 'config.d'))) {
    sources.push((await loadFile(dropIn)) ?? {})
  }
  sources.push(validate(flags.values, path => flags.flagOf(path)))
  const config = sources.reduce<Config>(merge, defaultConfig)
  refuseContradictions(config)
  return freeze(structuredClone(config))
}

async function loadFile(path: string): Promise<FileConfig | undefined> {
  const bytes = await readFileIfExists(path, limits.fileBytes)
  return bytes && parseFile(bytes.toString(), path)
}

export function parseFile(source: string, path: string): FileConfig {
  const { value, lineOf } = parseYaml(source, path)
  return validate(value, key => `${path}:${lineOf(key)}`)
}

async function listDropIns(directory: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(directory)).filter(name => name.endsWith('.yaml') && !name.startsWith('.'))
    if (names.length > limits.dropIns) {
      throw new RuntimeError('invalid-argument', `${directory} holds more than ${limits.dropIns} files`)
    }
    return names.sort().map(name => join(directory, name))
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw fileError(`cannot read ${directory}`, err)
  }
}

/** One source over what came before it. */
export function merge(config: Config, source: FileConfig): Config {
  const { cni, registries, runtimes, cdi, checkpoint, streaming, nri, metrics, log, limits, ...top } = source
  return {
    ...config,
    ...given(top),
    cni: { ...config.cni, ...given(cni) },
    registries: { ...config.registries, ...given(registries) },
    runtimes: {
      default: runtimes?.default ?? config.runtimes.default,
      handlers: { ...config.runtimes.handlers, ...handlersOf(runtimes) },
    },
    streaming: mergeStreaming(config.streaming, streaming),
    cdi: { ...config.cdi, ...given(cdi) },
    checkpoint: { ...config.checkpoint, ...given(checkpoint) },
    nri: { ...config.nri, ...given(nri) },
    metrics: { ...config.metrics, ...given(metrics) },
    log: { ...config.log, ...given(log) },
    limits: { ...config.limits, ...given(limits) },
  }
}

function mergeStreaming(
  config: Config['streaming'],
  { tls, ...top }: NonNullable<FileConfig['streaming']> = {},
): Config['streaming'] {
  return { ...config, ...given(top), tls: { ...config.tls, ...given(tls) } }
}

function handlersOf(runtimes: FileConfig['runtimes']): Config['runtimes']['handlers'] {
  const entries = Object.entries(runtimes?.handlers ?? {})
  return Object.fromEntries(
    entries.map(([name, handler]) => [name, { ...defaultHandler, ...given(handler) }]),
  )
}

/** Without the keys that are not there, so that they hide nothing. */
function given<Section extends object>(section: Section | undefined): Given<Section> {
  const entries = Object.entries(section ?? {}).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Given<Section>
}

type Given<Section> = { readonly [Key in keyof Section]?: Exclude<Section[Key], undefined> }

function refuseContradictions({ runtimes, streaming }: Config): void {
  refuseOpenStreaming(streaming)
  if (Object.hasOwn(runtimes.handlers, runtimes.default)) return
  const known = Object.keys(runtimes.handlers).join(', ')
  throw new RuntimeError(
    'invalid-argument',
    `"runtimes.default" is "${runtimes.default}", which is not one of "runtimes.handlers": ${known}`,
  )
}

/** A URL is the only secret of a session: it must not travel where others listen, unless somebody says so. */
function refuseOpenStreaming({ address, allowPlainHttp, tls }: Config['streaming']): void {
  const refuse = (message: string) => {
    throw new RuntimeError('invalid-argument', message)
  }
  if ((tls.certFile === '') !== (tls.keyFile === '')) {
    refuse('"streaming.tls" needs both "certFile" and "keyFile"')
  }
  if (tls.clientCaFile !== '' && tls.certFile === '') {
    refuse('"streaming.tls.clientCaFile" needs "certFile" and "keyFile"')
  }
  if (tls.certFile === '' && !isLoopback(address) && !allowPlainHttp) {
    refuse(
      `"streaming.address" is "${address}", which other machines can reach: set "streaming.tls", or "streaming.allowPlainHttp"`,
    )
  }
}
