import { type ErrorKind, RuntimeError } from '#base/errors'
import type { ProgramResult } from '#base/programs'
import { parseJsonObject, printable } from './json.ts'

/**
 * What a plugin that failed has to say: its error object (CNI spec, section 5, Error) if it printed one, otherwise
 * the end of what it wrote. Never throws; the message has no control characters and is bounded.
 */
export function pluginError(subject: string, ended: ProgramResult): RuntimeError {
  const reported = parseReport(ended.stdout)
  if (reported) return new RuntimeError(kindOfCode(reported.code), `${subject}: ${reported.message}`)
  const words = printable(lastOf(ended.stderr)) || printable(lastOf(ended.stdout)) || 'it printed nothing'
  return new RuntimeError('internal', `${subject}: exit code ${ended.exitCode}: ${words}`)
}

interface Report {
  readonly code: number
  readonly message: string
}

function parseReport(stdout: Buffer): Report | undefined {
  try {
    const { code, msg, details } = parseJsonObject(stdout.toString())
    const parts = [msg, details].filter(part => typeof part === 'string').map(printable)
    const message = parts.filter(part => part !== '').join('; ')
    const number = typeof code === 'number' ? code : 0
    if (message === '' && number === 0) return undefined
    return { code: number, message: message || `error code ${number}` }
  } catch {
    return undefined
  }
}

/** Well-known codes: 11 and 50, 51 pass by themselves; 1, 2, 4, 6 and 7 are wrong configuration. */
function kindOfCode(code: number): ErrorKind {
  if ([11, 50, 51].includes(code)) return 'unavailable'
  return [1, 2, 4, 6, 7].includes(code) ? 'failed-precondition' : 'internal'
}

/** The last few lines hold the reason; a panic's first line would be worth more, but plugins log a lot. */
function lastOf(output: Buffer): string {
  return output.subarray(-512).toString()
}
