import { defaultConfig } from './defaults.ts'

type Path = readonly (string | number)[]

/** The valid key, as a dotted path, that looks most like one that is not valid. */
export function nearestKey(path: Path): string {
  const parts = path.map(String)
  const last = parts.at(-1) ?? ''
  const parent = parts.slice(0, -1).join('.')
  let best = { key: '', distance: Infinity }
  for (const key of [...keysOf(defaultConfig, [])].map(candidate => underSameHandler(candidate, parts))) {
    const candidate = key.split('.')
    const isSibling = candidate.slice(0, -1).join('.') === parent
    // A sibling is meant rather than an equally similar key elsewhere.
    const distance =
      editDistance(last.toLowerCase(), (candidate.at(-1) ?? '').toLowerCase()) + (isSibling ? 0 : 1)
    if (distance < best.distance) best = { key, distance }
  }
  return best.key
}

const handlersDepth = 2

/** Handlers have names of their own: the key of the default one stands for that of every other. */
function underSameHandler(key: string, parts: readonly string[]): string {
  const candidate = key.split('.')
  const isHandlers = (path: readonly string[]) => path[0] === 'runtimes' && path[1] === 'handlers'
  const name = parts[handlersDepth]
  const isBelowHandler = (path: readonly string[]) => isHandlers(path) && path.length > handlersDepth + 1
  if (!isBelowHandler(candidate) || !isBelowHandler(parts) || !name) return key
  return candidate.with(handlersDepth, name).join('.')
}

function* keysOf(value: object, path: readonly string[]): Generator<string> {
  for (const [key, part] of Object.entries(value)) {
    const here = [...path, key]
    yield here.join('.')
    if (typeof part === 'object' && part !== null && !Array.isArray(part)) yield* keysOf(part as object, here)
  }
}

/** Levenshtein's: insertions, deletions and replacements of one character. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
