import { parseArgs } from 'node:util'
import { messageOf, RuntimeError } from '#base/errors'

/** What the command line says about the configuration. */
export interface Flags {
  /** undefined: the default file, if it is there. */
  readonly config: string | undefined
  /** The switches that were given, of those that the caller knows. */
  readonly switches: ReadonlySet<string>
  /** In the form of the file, not validated; empty when no flag was given. */
  readonly values: Readonly<Record<string, unknown>>
  /** The flag that gave the value at that path. */
  flagOf(path: readonly (string | number)[]): string
}

/** Flag, its place in the configuration, and what it wants. */
const valueFlags = [
  { flag: 'root', path: ['root'], hint: 'DIR', help: 'persistent data' },
  { flag: 'state', path: ['state'], hint: 'DIR', help: 'what a reboot may take' },
  { flag: 'listen', path: ['listen'], hint: 'unix:///PATH', help: 'socket of the CRI' },
  { flag: 'cni-conf-dir', path: ['cni', 'confDir'], hint: 'DIR', help: 'network configuration lists' },
  { flag: 'cni-bin-dir', path: ['cni', 'binDirs'], hint: 'DIR[,DIR]', help: 'network plugins' },
  { flag: 'certs-dir', path: ['registries', 'certsDir'], hint: 'DIR', help: 'HOST/hosts.toml of registries' },
  { flag: 'log-level', path: ['log', 'level'], hint: 'LEVEL', help: 'debug, info, warn or error' },
] as const

/** `switches` are the flags without a value. Errors: `invalid-argument`, naming the flag. */
export function parseFlags(argv: readonly string[], switches: readonly string[] = []): Flags {
  const given = parse(argv, switches)
  const values: Record<string, unknown> = {}
  for (const { flag, path } of valueFlags) {
    const text = given[flag]
    if (typeof text !== 'string') continue
    const value = flag === 'cni-bin-dir' ? text.split(',') : text
    const [section, key] = path
    if (key === undefined) values[section] = value
    else values[section] = { ...sectionOf(values[section]), [key]: value }
  }
  return {
    config: typeof given.config === 'string' ? given.config : undefined,
    switches: new Set(switches.filter(flag => given[flag] === true)),
    values,
    flagOf(path) {
      const flag = valueFlags.find(known => known.path.every((part, index) => part === path[index]))
      return flag ? `--${flag.flag}` : 'the command line'
    },
  }
}

function parse(
  argv: readonly string[],
  switchNames: readonly string[],
): Record<string, string | boolean | undefined> {
  const texts = ['config', ...valueFlags.map(({ flag }) => flag)].map(
    flag => [flag, { type: 'string' }] as const,
  )
  const switches = switchNames.map(flag => [flag, { type: 'boolean' }] as const)
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: Object.fromEntries<{ type: 'string' | 'boolean' }>([...texts, ...switches]),
      allowPositionals: false,
    })
    return Object.fromEntries(
      Object.entries(values).map(([flag, value]) => [flag, Array.isArray(value) ? undefined : value]),
    )
  } catch (err) {
    throw new RuntimeError('invalid-argument', messageOf(err), { cause: err })
  }
}

function sectionOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

/** The flags, one a line, for --help. */
export function flagHelp(): string {
  const lines = [
    { flag: 'config', hint: 'FILE', help: 'configuration file; config.d/*.yaml beside it is read after it' },
    ...valueFlags,
  ]
  return lines.map(({ flag, hint, help }) => `  ${`--${flag} ${hint}`.padEnd(28)}${help}`).join('\n')
}
