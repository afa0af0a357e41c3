import { defaultText } from '../config/default-text.ts'
import { parseFlags } from '../config/flags.ts'
import { formatConfig } from '../config/format.ts'
import { loadConfig } from '../config/load.ts'
import { helpCommand } from './help.ts'

/** `lighter config [--default] [flags of lighterd]`: what is in force, or the commented default. */
export async function configCommand(argv: readonly string[]): Promise<string> {
  const flags = parseFlags(argv, ['default', 'help'])
  if (flags.switches.has('help')) return helpCommand()
  if (flags.switches.has('default')) return defaultText
  return formatConfig(await loadConfig(flags))
}
