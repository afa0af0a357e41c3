import { parseArgs } from 'node:util'
import { messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import { type DemoOptions, runDemo } from './run-demo.ts'

const usage = `usage: npm start [-- OPTION...]
  Serves a small image on loopback, starts lighterd, runs a pod with a web server, stays until Ctrl-C, cleans up.
  --once         clean up as soon as the web server has answered
  --root DIR     persistent data of the daemon (default /var/lib/lighter)
  --state DIR    what a reboot may take (default /run/lighter)
`

await main()

async function main(): Promise<void> {
  try {
    const options = parse(process.argv.slice(2))
    if (options === 'help') {
      process.stdout.write(usage)
      return
    }
    await runDemo({ log: createTextLog(), signal: interruption() }, options)
  } catch (err) {
    process.stderr.write(`demo: ${messageOf(err)}\n`)
    process.exitCode = 1
  }
}

function parse(argv: readonly string[]): DemoOptions | 'help' {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        root: { type: 'string', default: '/var/lib/lighter' },
        state: { type: 'string', default: '/run/lighter' },
      },
    })
    if (values.help) return 'help'
    const { once, root, state } = values
    return { isOnce: once, rootDir: root, stateDir: state, write: text => process.stdout.write(text) }
  } catch (err) {
    throw new RuntimeError('invalid-argument', `${messageOf(err)}\n${usage}`, { cause: err })
  }
}

/** Aborted by Ctrl-C or SIGTERM. A second one changes nothing: cleaning up has deadlines of its own. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  const stop = () => {
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}

/** Only what a person should see. */
function createTextLog(): Log {
  const write = (fields: object, message: string) => {
    process.stderr.write(`demo: ${message} ${JSON.stringify(fields)}\n`)
  }
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: write,
    error: write,
    child: () => log,
  }
  return log
}
