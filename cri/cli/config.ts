import { defaultText } from '../config/default-text.ts'
import { parseFlags } from '../config/flags.ts'
import { formatConfig } from '../config/format.ts'
import { loadConfig } from '../config/load.ts'

/** `lighter config [--default] [flags of lighterd]`: what is in force, or the commented default. */
export async function configCommand(argv: readonly string[]): Promise<string> {
  const flags = parseFlags(argv)
  return flags.wantsDefault ? defaultText : formatConfig(await loadConfig(flags))
}
