import { constants } from 'node:os'
import { RuntimeError } from '#base/errors'

/** Real-time signals as programs see them (signal(7)); the upper ones are named from the end. */
const realTime = { first: 34, lastFromStart: 49, last: 64 } as const

/** The name of the signal that stops a container: the client's, else the image's, else SIGTERM. */
export function effectiveStopSignal(ofConfig: string, ofImage: string): string {
  const name = ofConfig || ofImage || 'SIGTERM'
  return signalName(signalNumber(name))
}

/** Number of SIGTERM, TERM, 15, SIGRTMIN+3 and the like, as Linux counts. Errors: `invalid-argument`. */
export function signalNumber(name: string): number {
  const word = name.toUpperCase().replace(/^SIG/, '')
  const number = /^\d{1,2}$/.test(word) ? Number(word) : (namedSignals()[word] ?? realTimeSignal(word))
  if (number === undefined || number < 1 || number > realTime.last) {
    throw new RuntimeError('invalid-argument', `stop signal "${name}" is not a signal`)
  }
  return number
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  if (found) return found[0]
  if (number === realTime.first) return 'SIGRTMIN'
  if (number === realTime.last) return 'SIGRTMAX'
  const isLower = number <= realTime.lastFromStart
  return isLower ? `SIGRTMIN+${number - realTime.first}` : `SIGRTMAX-${realTime.last - number}`
}

function namedSignals(): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(constants.signals).map(([name, value]) => [name.replace(/^SIG/, ''), value]),
  )
}

function realTimeSignal(word: string): number | undefined {
  const [, from, sign, offset] = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(word) ?? []
  if (from === undefined) return undefined
  const distance = sign === '-' ? -Number(offset) : Number(offset ?? 0)
  const number = (from === 'MIN' ? realTime.first : realTime.last) + distance
  return number >= realTime.first ? number : undefined
}
