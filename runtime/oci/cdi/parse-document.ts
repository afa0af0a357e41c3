import { constructFromEvents, parseEvents, YAMLException } from 'js-yaml'
import { messageOf, RuntimeError } from '#base/errors'

const maxDepth = 20

/** One JSON or YAML document, by the extension of its file. Errors: `failed-precondition`; aliases are refused. */
export function parseDocument(path: string, source: string): unknown {
  try {
    if (path.endsWith('.json')) return JSON.parse(source)
    const events = parseEvents(source, { filename: path, maxDepth })
    const documents = constructFromEvents(events, { source, filename: path, maxAliases: 0 })
    if (documents.length === 1) return documents[0]
  } catch (err) {
    const reason = err instanceof YAMLException ? err.reason : messageOf(err)
    throw new RuntimeError('failed-precondition', `${path} cannot be read: ${reason}`, { cause: err })
  }
  throw new RuntimeError('failed-precondition', `${path} does not hold one document`)
}
