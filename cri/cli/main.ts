import { messageOf, RuntimeError } from '#base/errors'
import { configCommand } from './config.ts'
import { helpCommand } from './help.ts'
import { versionCommand } from './version.ts'

void main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<void> {
  try {
    process.stdout.write(await run(argv))
  } catch (err) {
    process.stderr.write(`lighter: ${messageOf(err)}\n`)
    process.exitCode = 1
  }
}

function run([command = 'help', ...rest]: readonly string[]): Promise<string> | string {
  switch (command) {
    case 'config':
      return configCommand(rest)
    case 'version':
    case '--version':
      return versionCommand()
    case 'help':
    case '--help':
    case '-h':
      return helpCommand()
  }
  throw new RuntimeError('invalid-argument', `there is no command "${command}": see "lighter help"`)
}
