import { isAbsolute } from 'node:path'
import { parseArgs } from 'node:util'

/** A runtime to compare with: by its socket, or one that the bench starts itself. */
export type Peer = { readonly name: string; readonly socketPath: string } | { readonly name: 'containerd' }

export interface BenchOptions {
  readonly isHelp: boolean
  /** undefined: all. */
  readonly cases: readonly string[] | undefined
  /** undefined: what can be started here. */
  readonly peers: readonly Peer[] | undefined
  readonly hasLighter: boolean
  readonly rounds: number
  readonly warmUp: number
  readonly outDir: string | undefined
  /** Of the cases lists and stats, ascending. */
  readonly containers: readonly number[]
  /** Of the cases memory and recovery, ascending. */
  readonly pods: readonly number[]
  readonly perPod: number
  /** Pods that are started at once. */
  readonly wide: number
  /** Through a log or a stream in one round. */
  readonly megabytes: number
  /** In the image that is pulled. */
  readonly files: number
  /** For peers by socket; undefined: the bench's own, from its registry. */
  readonly image: string | undefined
}

export const usage = `Measures lighter and other runtimes side by side over the CRI; nothing else should run meanwhile.

  npm run bench -- [--case pods,rpcs,...] [--peer NAME=SOCKET | --peer containerd]...

  --case LIST        pods, rpcs, exec, teardown, lists, stats, memory, poll, log, stream, pull, recovery (all)
  --peer NAME=SOCKET a runtime that is running already; may be repeated
  --peer containerd  one that the bench starts itself; so does a bench without --peer, if there is one
                     (from .cache/peers, which e2e/bench/peers.sh builds, or in PATH)
  --alone            no peer
  --no-lighter       only the peers
  --image NAME       image for peers by socket (a busybox from a registry on loopback)
  --rounds N (20)  --warm-up N (2)
  --containers LIST (40,200,1000)  --per-pod N (5)   for lists and stats
  --pods LIST (40,100)                               for memory; recovery takes the last
  --wide N (8)  --megabytes N (64)  --files N (4000)
  --out DIR          results as JSON and SVG (build/bench)
`

const countLimit = 100_000

/** Errors name the option. */
export function parseOptions(argv: readonly string[], known: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      case: { type: 'string' },
      peer: { type: 'string', multiple: true },
      alone: { type: 'boolean', default: false },
      'no-lighter': { type: 'boolean', default: false },
      image: { type: 'string' },
      rounds: { type: 'string', default: '20' },
      'warm-up': { type: 'string', default: '2' },
      containers: { type: 'string', default: '40,200,1000' },
      'per-pod': { type: 'string', default: '5' },
      pods: { type: 'string', default: '40,100' },
      wide: { type: 'string', default: '8' },
      megabytes: { type: 'string', default: '64' },
      files: { type: 'string', default: '4000' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const cases = values.case?.split(',')
  const stranger = cases?.find(name => !known.includes(name))
  if (stranger !== undefined) {
    throw new Error(`--case: there is no case "${stranger}": choose from ${known.join(', ')}`)
  }
  return {
    isHelp: values.help,
    cases,
    peers: values.alone ? [] : values.peer?.map(parsePeer),
    hasLighter: !values['no-lighter'],
    rounds: count('rounds', values.rounds),
    warmUp: count('warm-up', values['warm-up'], 0),
    outDir: values.out,
    containers: ascending(values.containers.split(',').map(text => count('containers', text))),
    pods: ascending(values.pods.split(',').map(text => count('pods', text))),
    perPod: count('per-pod', values['per-pod']),
    wide: count('wide', values.wide),
    megabytes: count('megabytes', values.megabytes),
    files: count('files', values.files),
    image: values.image,
  }
}

function parsePeer(text: string): Peer {
  if (text === 'containerd') return { name: 'containerd' }
  const [, name = '', socketPath = ''] = /^([\w.-]+)=(?:unix:\/\/)?(.+)$/.exec(text) ?? []
  if (!isAbsolute(socketPath)) {
    throw new Error(`--peer: "${text}" is neither NAME=SOCKET with an absolute path nor containerd`)
  }
  return { name, socketPath }
}

function count(name: string, text: string, least = 1): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value) || value < least || value > countLimit) {
    throw new Error(`--${name}: "${text}" is not a whole number from ${least} to ${countLimit}`)
  }
  return value
}

function ascending(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}
