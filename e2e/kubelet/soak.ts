import { parseArgs } from 'node:util'
import { whyNoKube } from './binaries.ts'
import { type Cluster, openCluster, readySince } from './cluster.ts'
import { createChurn } from './soak/churn.ts'
import { createMirror } from './soak/mirror.ts'
import { killRepeatedly, type Round } from './soak/rounds.ts'
import { growTo, problemsOf, type Steady, steadyOf } from './soak/steady.ts'

const usage = `Runs pods under a real kubelet while lighterd is killed (SIGKILL) and started again, over and over.

  npm run soak
      --pods N (24)         pods that must not notice anything
      --minutes N (30)
      --kill-every N (60)   seconds between two kills
      --feature-gate NAME   of the kubelet, to be on; may be given several times
      --log-level LEVEL     of the daemon (warn)

Meanwhile other pods come and go. The exit code is 0 if no pod restarted, the events gave the right picture all the
time, the node stayed ready and nothing was left behind.
`

const header = '  time  kills  ready  restarts  churned  events  start ms  daemon MiB'

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '24' },
    minutes: { type: 'string', default: '30' },
    'kill-every': { type: 'string', default: '60' },
    'feature-gate': { type: 'string', multiple: true, default: [] },
    'log-level': { type: 'string', default: 'warn' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(usage)
else process.exitCode = (await main()) ? 0 : 1

async function main(): Promise<boolean> {
  const reason = await whyNoKube()
  if (reason !== false) {
    process.stderr.write(`soak: ${reason}\n`)
    return false
  }
  const cluster = await openCluster({
    world: { logLevel: values['log-level'] },
    kubelet: { featureGates: Object.fromEntries(values['feature-gate'].map(name => [name, true])) },
  })
  const problems: string[] = []
  try {
    problems.push(...(await soak(cluster)))
  } catch (err) {
    problems.push(String(err))
  }
  try {
    await cluster.close()
  } catch (err) {
    problems.push(String(err))
  }
  for (const problem of problems) print(`problem: ${problem}`)
  print(problems.length === 0 ? 'no problem' : `${String(problems.length)} problems`)
  return problems.length === 0
}

async function soak(cluster: Cluster): Promise<readonly string[]> {
  const steady: Steady = await growTo(cluster, Number(values.pods))
  const since = await readySince(cluster.api)
  const mirror = await createMirror(cluster.world)
  const churn = createChurn(cluster)
  const problems: string[] = []
  try {
    print(header)
    const rounds = await killRepeatedly(cluster, {
      endsAtMs: Date.now() + Number(values.minutes) * 60_000,
      everyMs: Number(values['kill-every']) * 1000,
      mirror,
      async onRound(round) {
        print(row(round, { ...(await steadyOf(cluster)), churned: churn.finished() }))
      },
    })
    problems.push(...rounds.flatMap(round => round.problems))
  } finally {
    problems.push(...(await churn.stop()), ...(await mirror.close()))
  }
  problems.push(...problemsOf(steady, await steadyOf(cluster)))
  const stillSince = await readySince(cluster.api)
  if (stillSince?.getTime() !== since?.getTime()) problems.push('the node was not ready all the time')
  return problems
}

function row(
  round: Round,
  now: { readonly ready: number; readonly restarts: number; readonly churned: number },
): string {
  const cells: readonly (readonly [string | number, number])[] = [
    [`${String(Math.round(round.elapsedMs / 1000))}s`, 6],
    [round.kills, 7],
    [now.ready, 7],
    [now.restarts, 10],
    [now.churned, 9],
    [round.events, 8],
    [round.startMs, 10],
    [round.daemonMebibytes.toFixed(0), 12],
  ]
  return cells.map(([value, width]) => String(value).padStart(width)).join('')
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
