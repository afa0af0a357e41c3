import { dump } from 'js-yaml'
import type { Config } from './defaults.ts'

/** The configuration as a file that could be loaded again. */
export function formatConfig(config: Config): string {
  return dump(config, { lineWidth: -1 })
}
