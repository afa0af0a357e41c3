import { readText } from './files.ts'

/** One line of a container's log file (CRI logging format). */
export interface LogLine {
  readonly time: string
  readonly stream: string
  /** F: a whole line or the last piece of one; P: a piece. */
  readonly tag: string
  readonly text: string
}

const linePattern =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP]) (.*)$/s

/** All lines of a log file; a line that is not in the format is an error that shows it. */
export async function readLog(path: string): Promise<readonly LogLine[]> {
  const text = await readText(path)
  const lines = text.split('\n')
  if (lines.pop() !== '') throw new Error(`${path} does not end with a line feed`)
  return lines.map(line => {
    const [, time = '', stream = '', tag = '', content = ''] = linePattern.exec(line) ?? []
    if (tag === '') throw new Error(`${path}: not a log line: ${JSON.stringify(line.slice(0, 200))}`)
    return { time, stream, tag, text: content }
  })
}

/** The texts of one stream, pieces put together again. */
export async function readLogText(path: string, stream = 'stdout'): Promise<readonly string[]> {
  const texts: string[] = []
  let piece = ''
  for (const line of await readLog(path)) {
    if (line.stream !== stream) continue
    piece += line.text
    if (line.tag === 'P') continue
    texts.push(piece)
    piece = ''
  }
  if (piece) texts.push(piece)
  return texts
}
