import { constants } from 'node:os'
import { RuntimeError } from '#base/errors'

export const SIGKILL = constants.signals.SIGKILL

/** First and last real-time signal as programs see them (signal(7)); images of systemd stop with SIGRTMIN+3. */
const realTime = { min: 34, max: 64 }

const numbers = new Map<string, number>(Object.entries(constants.signals))

/** The number of a signal given as `SIGTERM`, `TERM`, `SIGRTMIN+3` or `15`. Errors: `invalid-argument`. */
export function signalNumber(name: string): number {
  const upper = name.toUpperCase()
  const full = upper.startsWith('SIG') ? upper : `SIG${upper}`
  const known =
    numbers.get(full) ?? realTimeNumber(full) ?? (/^\d{1,2}$/.test(name) ? Number(name) : undefined)
  if (known === undefined || known < 1 || known > realTime.max) {
    throw new RuntimeError('invalid-argument', `"${name}" is not a signal`)
  }
  return known
}

function realTimeNumber(name: string): number | undefined {
  const parts = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name)
  if (!parts) return undefined
  const base = parts[1] === 'MIN' ? realTime.min : realTime.max
  const offset = Number(parts[3] ?? 0) * (parts[2] === '-' ? -1 : 1)
  const number = base + offset
  return number >= realTime.min && number <= realTime.max ? number : undefined
}
