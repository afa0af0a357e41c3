import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createAuditor } from '../harness/auditor.ts'
import { closeWorld, openWorld, removePods, type World, type WorldOptions } from '../harness/world.ts'
import { excluded } from './expectations.ts'
import { configureNri, nriSocketPath, prepareForSuite, withSuiteNode } from './node.ts'
import type { SpecOutcome } from './report.ts'
import { runSuite, whyNoCritest } from './suite.ts'

const usage = `Runs the upstream conformance suite (critest) against a lighterd of its own and sums it up.

  npm run critest                    the release that e2e/tools/go.mod pins
  CRITEST=PATH npm run critest       another critest binary
      --repeat N (1)     so many times
      --parallel N (1)   so many specs at once
      --focus REGEXP     only specs whose name matches
      --websocket        exec, attach and port-forward over WebSocket instead of SPDY
      --nri              with a socket for NRI plugins
      --config FILE      configuration of the daemon
      --all              also the specs that cannot pass here
      --keep DIR         copies the logs and reports there
      --log-level LEVEL  of the daemon (info)

The exit code is 0 if no spec failed and nothing was left behind.
`

/** Shown of why a spec failed. */
const messageLines = 6

const { values } = parseArgs({
  options: {
    repeat: { type: 'string', default: '1' },
    parallel: { type: 'string', default: '1' },
    focus: { type: 'string' },
    websocket: { type: 'boolean', default: false },
    nri: { type: 'boolean', default: false },
    config: { type: 'string' },
    all: { type: 'boolean', default: false },
    keep: { type: 'string' },
    'log-level': { type: 'string', default: 'info' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(usage)
else process.exitCode = (await main()) ? 0 : 1

async function main(): Promise<boolean> {
  const reason = await whyNoCritest()
  if (reason !== false) {
    process.stderr.write(`critest: ${reason}: install it and run scripts/setup.sh --test\n`)
    return false
  }
  const world = await openWorld(await worldOptions())
  try {
    await prepareForSuite(world)
    let isGood = true
    for (let round = 1; round <= Number(values.repeat); round++) {
      isGood = (await runRound(world, round)) && isGood
    }
    return isGood
  } finally {
    await closeWorld(world)
  }
}

async function worldOptions(): Promise<WorldOptions> {
  const config = values.config === undefined ? '' : await readFile(values.config, 'utf8')
  const logLevel = values['log-level']
  if (!values.nri) return { logLevel, config }
  return { logLevel, prepare: scratch => configureNri(scratch, config) }
}

async function runRound(world: World, round: number): Promise<boolean> {
  const workDir = join(world.scratch.dir, `critest-${String(round)}`)
  await mkdir(workDir)
  const auditor = createAuditor(world.scratch)
  await auditor.baseline()
  const images = await world.cri.listImages()
  try {
    const isGood = await withSuiteNode(async () => {
      const outcomes = await runSuite({
        socketPath: world.scratch.socketPath,
        workDir,
        focus: values.focus,
        parallel: Number(values.parallel),
        isWebSocket: values.websocket,
        skip: values.all ? [] : excluded.map(({ spec }) => spec.source),
        nriSocketPath: values.nri ? nriSocketPath(world.scratch) : undefined,
      })
      print(outcomes, round)
      // A spec that failed may not have cleaned up; the next round shall not suffer from it.
      await removePods(world.cri)
      return outcomes.every(outcome => outcome.state !== 'failed')
    })
    for (const id of await world.cri.listImages()) if (!images.includes(id)) await world.cri.removeImage(id)
    await auditor.assertNothingLeft()
    return isGood
  } catch (err) {
    process.stdout.write(`round ${String(round)}: ${err instanceof Error ? err.message : String(err)}\n`)
    return false
  } finally {
    if (values.keep !== undefined) {
      const keep = join(values.keep, `round-${String(round)}`)
      await mkdir(keep, { recursive: true })
      for (const name of ['critest.log', 'report.json']) await cp(join(workDir, name), join(keep, name))
      await cp(join(world.scratch.dir, 'lighterd.log'), join(keep, 'lighterd.log'))
    }
  }
}

function print(outcomes: readonly SpecOutcome[], round: number): void {
  const of = (state: SpecOutcome['state']) => outcomes.filter(outcome => outcome.state === state)
  const seconds = outcomes.reduce((total, outcome) => total + outcome.seconds, 0)
  const lines = [
    ...of('failed').map(({ name, message }) => `failed: ${name}\n    ${brief(message)}`),
    ...of('skipped').map(({ name, message }) => `skipped: ${name}: ${message.split('\n')[0] ?? ''}`),
    ...(values.all ? [] : excluded.map(({ spec, reason }) => `not run: ${spec.source}: ${reason}`)),
    `round ${String(round)}: ${String(of('passed').length)} passed, ${String(of('failed').length)} failed, ` +
      `${String(of('skipped').length)} skipped in ${seconds.toFixed(0)} s`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** The first lines of a message; the suite prints whole structures. */
function brief(message: string): string {
  const lines = message.trim().split('\n')
  return lines.slice(0, messageLines).join('\n    ')
}
