import { flagHelp } from '../config/flags.ts'

/** `lighter help`. */
export function helpCommand(): string {
  return `lighter: the operator's tool of lighterd

Usage:
  lighter config [flags]      print the configuration in force, as lighterd with these flags would have it
  lighter config --default    print the default configuration, explained
  lighter version             print the version
  lighter help                print this

Flags of lighterd, for "lighter config":
${flagHelp()}

Pods, containers and images are looked at with crictl.
`
}
