import { version } from '../version.ts'

/** `lighter version`. */
export function versionCommand(): string {
  return `lighter ${version}\n`
}
