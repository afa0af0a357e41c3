import * as v from 'valibot'
import { RuntimeError } from '#base/errors'
import { nearestKey } from './nearest-key.ts'
import { type FileConfig, fileSchema } from './schema.ts'

type Path = readonly (string | number)[]

/** Checks what one source says. `where` names the place of a key: `FILE:LINE`, or a flag. */
export function validate(value: unknown, where: (path: Path) => string): FileConfig {
  const result = v.safeParse(fileSchema, value ?? {}, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const path = (issue.path ?? []).map(item => (typeof item.key === 'number' ? item.key : String(item.key)))
  throw new RuntimeError('invalid-argument', `${where(path)}: ${explain(issue, path)}`)
}

function explain(issue: v.BaseIssue<unknown>, path: Path): string {
  const key = dotted(path)
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return `unknown key "${key}", the nearest valid key is "${nearestKey(path)}"`
  }
  if (path.length === 0) return 'the configuration is not a map of keys'
  if (issue.kind === 'validation') return `"${key}" ${issue.message}: ${issue.received}`
  return `"${key}" is ${issue.received}, not ${issue.expected ?? 'what it should be'}`
}

function dotted(path: Path): string {
  return path
    .map(part => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '')
}
