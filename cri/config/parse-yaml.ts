import {
  constructFromEvents,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  YAMLException,
} from 'js-yaml'
import { messageOf, RuntimeError } from '#base/errors'

/** A YAML document and where its keys are. */
export interface ParsedYaml {
  /** undefined when the file holds nothing but comments. */
  readonly value: unknown
  /** Line of the key, or of the list item, at that path; that of what holds it when it is not there. */
  readonly lineOf: (path: readonly (string | number)[]) => number
}

const maxDepth = 20

/** Errors: `invalid-argument`, naming file and line. Anchors and aliases are refused: nobody needs them here. */
export function parseYaml(source: string, file: string): ParsedYaml {
  try {
    const events = parseEvents(source, { filename: file, maxDepth })
    const documents = constructFromEvents(events, { source, filename: file, maxAliases: 0 })
    if (documents.length > 1)
      throw new RuntimeError('invalid-argument', `${file} holds more than one document`)
    const lines = linesOf(events, source)
    return { value: documents[0] ?? undefined, lineOf: path => nearestLine(lines, path) }
  } catch (err) {
    if (err instanceof RuntimeError) throw err
    const line = err instanceof YAMLException ? (err.mark?.line ?? 0) + 1 : 1
    const reason = err instanceof YAMLException ? err.reason : messageOf(err)
    throw new RuntimeError('invalid-argument', `${file}:${line}: ${reason}`, { cause: err })
  }
}

function nearestLine(lines: ReadonlyMap<string, number>, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(pathKey(path.slice(0, length)))
    if (line !== undefined) return line
  }
  return 1
}

function pathKey(path: readonly (string | number)[]): string {
  return JSON.stringify(path.map(String))
}

interface Walk {
  readonly events: readonly Event[]
  readonly source: string
  readonly lines: Map<string, number>
  next: number
}

function linesOf(events: readonly Event[], source: string): ReadonlyMap<string, number> {
  // The first event opens the document, the second one its node.
  const walk: Walk = { events, source, lines: new Map(), next: 1 }
  if (events.length > 1) visit(walk, [])
  return walk.lines
}

/** Reads one node, and with it all that it holds. */
function visit(walk: Walk, path: readonly string[]): void {
  const event = walk.events[walk.next++]
  if (event?.type === EVENT_ID.MAPPING) visitMapping(walk, path)
  else if (event?.type === EVENT_ID.SEQUENCE) visitSequence(walk, path)
}

function visitMapping(walk: Walk, path: readonly string[]): void {
  for (let key = walk.events[walk.next]; key && key.type !== EVENT_ID.POP; key = walk.events[walk.next]) {
    const line = lineAt(walk.source, startOf(key))
    const name = key.type === EVENT_ID.SCALAR ? getScalarValue(walk.source, key) : ''
    visit(walk, path)
    walk.lines.set(pathKey([...path, name]), line)
    visit(walk, [...path, name])
  }
  walk.next++
}

function visitSequence(walk: Walk, path: readonly string[]): void {
  let index = 0
  for (let item = walk.events[walk.next]; item && item.type !== EVENT_ID.POP; item = walk.events[walk.next]) {
    const itemPath = [...path, String(index++)]
    walk.lines.set(pathKey(itemPath), lineAt(walk.source, startOf(item)))
    visit(walk, itemPath)
  }
  walk.next++
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart
  return 'start' in event ? event.start : 0
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length
}
