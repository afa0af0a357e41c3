import { dirname, join } from 'node:path'
import type { Ctx } from '#base/context'
import { isKind, messageOf, RuntimeError } from '#base/errors'
import { pathExists } from '#base/files'
import type { Config } from './config/defaults.ts'
import { type Flags, flagHelp, parseFlags } from './config/flags.ts'
import { loadConfig } from './config/load.ts'
import { startDaemon } from './daemon.ts'
import { createLogOutput, type LogOutput } from './logging.ts'
import { version } from './version.ts'

/** Wrong input; systemd and people tell it from a failure by the code. */
const usageExitCode = 2

const help = `lighterd ${version}: a Kubernetes container runtime

Usage: lighterd [flags]

${flagHelp()}
  --help                      show this
  --version                   show the version

Flags win over the configuration file. "lighter config" prints what is in force.
`

void main(process.argv.slice(2)).then(
  // What is still open, such as an idle connection, must not hold the process back.
  () => process.exit(0),
  (err: unknown) => {
    process.stderr.write(`lighterd: ${messageOf(err)}\n`, () => {
      process.exit(isKind(err, 'invalid-argument') ? usageExitCode : 1)
    })
  },
)

async function main(argv: readonly string[]): Promise<void> {
  process.title = 'lighterd'
  const flags = parseFlags(argv, ['help', 'version'])
  if (flags.switches.has('help')) await print(help)
  else if (flags.switches.has('version')) await print(`${version}\n`)
  else await serveUntilStopped(flags)
}

function print(text: string): Promise<void> {
  return new Promise(resolve => {
    process.stdout.write(text, () => {
      resolve()
    })
  })
}

async function serveUntilStopped(flags: Flags): Promise<void> {
  const config = await loadConfig(flags)
  const output = createLogOutput(config.log.level)
  const stopping = stopSignal(output)
  const ctx: Ctx = { signal: stopping, log: output.log }
  try {
    const daemon = await startDaemon(ctx, { config, programsDir: await findPrograms(config) })
    await aborted(stopping)
    await daemon.stop()
  } catch (err) {
    // Told to stop while it was starting: that is no failure.
    if (!stopping.aborted) throw err
  } finally {
    await output.close()
  }
}

/** Aborts at the first SIGTERM or SIGINT; the second one ends the process at once. */
function stopSignal(output: LogOutput): AbortSignal {
  const { log } = output
  const stop = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'signal received')
    if (stop.signal.aborted) process.exit(1)
    stop.abort(new RuntimeError('cancelled', `lighterd received ${signal}`))
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('uncaughtException', err => {
    log.error({ err: err.stack }, 'lighterd fails: this is a bug')
    void output.close().then(() => process.exit(1))
  })
  return stop.signal
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve()
        },
        { once: true },
      )
  })
}

/** The native programs: beside dist/ in a package, below build/ in a checkout. */
async function findPrograms({ programsDir }: Config): Promise<string> {
  if (programsDir !== '') return programsDir
  const here = dirname(process.argv[1] ?? '')
  const places = [join(here, '../native'), join(here, '../build/native')]
  for (const place of places) {
    if (await pathExists(join(place, 'lighter-host'))) return place
  }
  throw new RuntimeError(
    'not-found',
    `lighter-host is neither in ${places.join(' nor in ')}: build it, or set programsDir`,
  )
}
