import * as v from 'valibot'
import { RuntimeError } from '#base/errors'
import { nearestKey } from './nearest-key.ts'
import { type FileConfig, fileSchema } from './schema.ts'

type Path = readonly (string | number)[]

/** Checks what one source says. `where` names the place of a key: `FILE:LINE`, or a flag. */
export function validate(value: unknown, where: (path: Path) => string): FileConfig {
  const result = v.safeParse(fileSchema, value ?? {})
  if (result.success) return result.output
  // A key with a wrong name is also a key that is missing: the name is what has to be put right.
  const issue = result.issues.find(isUnknownKey) ?? result.issues[0]
  const path = (issue.path ?? []).map(item => (typeof item.key === 'number' ? item.key : String(item.key)))
  throw new RuntimeError('invalid-argument', `${where(path)}: ${explain(issue, path)}`)
}

type Issue = v.BaseIssue<unknown>

function isUnknownKey(issue: Issue): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never'
}

function explain(issue: Issue, path: Path): string {
  const key = dotted(path)
  if (isUnknownKey(issue)) return `unknown key "${key}", the nearest valid key is "${nearestKey(path)}"`
  if (path.length === 0) return 'the configuration is not a map of keys'
  if (issue.input === undefined) return `"${key}" is missing`
  if (issue.kind === 'validation') return `"${key}" ${issue.message}: ${JSON.stringify(issue.input)}`
  return `"${key}" is ${issue.received}, not ${issue.expected ?? 'what it should be'}`
}

function dotted(path: Path): string {
  return path
    .map(part => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '')
}
