import type { Readable } from 'node:stream'
import type { TerminalSize } from '#engine/model/session'
import { streamingLimits } from '../limits.ts'

/** The sizes that a client sends. What is no size is skipped; text without an end of an object ends it. */
export async function* readResizes(stream: Readable): AsyncGenerator<TerminalSize, void, void> {
  let text = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    const objects = text.split('}')
    text = objects.pop() ?? ''
    for (const object of objects) {
      const size = parseSize(`${object}}`)
      if (size) yield size
    }
    if (text.length > streamingLimits.resizeBytes) return
  }
}

/** A terminal of the kernel counts rows and columns in 16 bits. */
function parseSize(text: string): TerminalSize | undefined {
  const match = /^\s*\{[^{}]*\}$/.exec(text) && tryParse(text)
  if (typeof match !== 'object' || match === null) return undefined
  const { Width: columns, Height: rows } = match as { Width?: unknown; Height?: unknown }
  return isCount(columns) && isCount(rows) ? { columns, rows } : undefined
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff
}
