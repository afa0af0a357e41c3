import { imageLimits } from '../limits.ts'

/** One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1); scheme and parameter names in small letters. */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const parameter = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/y
const separator = /[\s,]*/y

/** All challenges of the header; what cannot be read ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  if (header.length > imageLimits.challengeLength) return []
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  let position = 0
  const match = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = position
    const found = expression.exec(header)
    if (found) position = expression.lastIndex
    return found
  }
  while (position < header.length) {
    match(separator)
    const found = match(parameter)
    if (found) {
      const quoted = found[2]?.replace(/\\(.)/g, '$1')
      challenges.at(-1)?.parameters.set((found[1] ?? '').toLowerCase(), quoted ?? found[3] ?? '')
      continue
    }
    const scheme = match(token)
    if (!scheme) break
    challenges.push({ scheme: scheme[0].toLowerCase(), parameters: new Map() })
  }
  return challenges
}
