import type { InterfaceStats, Pressure, PressureLine, TrafficStats } from '../model/stats.ts'

/** Without a limit v1 shows the largest multiple of the page size; no machine has this much. */
const unlimitedBytes = 2 ** 62

/** 0 for `max` and for a file that is not there. */
export function parseNumber(text: string): number {
  return /^\d+\s*$/.test(text) ? Number(text) : 0
}

export function parseBigint(text: string): bigint {
  return /^\d+\s*$/.test(text) ? BigInt(text.trim()) : 0n
}

/** 0 for no limit, in the way of either version. */
export function parseLimit(text: string): number {
  const limit = parseNumber(text)
  return limit < unlimitedBytes ? limit : 0
}

/** The value in the line `key value`; undefined if there is none. */
export function valueOf(text: string, key: string): number | undefined {
  const digits = digitsOf(text, key)
  return digits === undefined ? undefined : Number(digits)
}

export function bigintOf(text: string, key: string): bigint {
  const digits = digitsOf(text, key)
  return digits === undefined ? 0n : BigInt(digits)
}

function digitsOf(text: string, key: string): string | undefined {
  const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1
  if (at === 0 && !text.startsWith(`${key} `)) return undefined
  const start = at + key.length + 1
  const end = text.indexOf('\n', start)
  const digits = text.slice(start, end === -1 ? undefined : end)
  return /^\d+$/.test(digits) ? digits : undefined
}

/** A file NAME.pressure (kernel: accounting/psi.rst). Old kernels have no line `full` for the CPU. */
export function parsePressure(text: string): Pressure | undefined {
  const some = pressureLine(text, 'some')
  if (!some) return undefined
  return { some, full: pressureLine(text, 'full') ?? { avg10: 0, avg60: 0, avg300: 0, totalUs: 0 } }
}

const pressureLines = {
  some: /^some avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/m,
  full: /^full avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/m,
} as const

function pressureLine(text: string, kind: 'some' | 'full'): PressureLine | undefined {
  const match = pressureLines[kind].exec(text)
  if (!match) return undefined
  const [, avg10, avg60, avg300, total] = match
  return { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), totalUs: Number(total) }
}

/** net/dev (proc_pid_net(5)): two lines of headings, then `NAME: 8 numbers received 8 numbers sent`. */
export function parseNetDevices(text: string): readonly InterfaceStats[] {
  return text.split('\n').flatMap(line => {
    // A name may hold a colon (old aliases), a number never does.
    const colon = line.lastIndexOf(':')
    const name = line.slice(0, Math.max(0, colon)).trim()
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number)
    if (name === '' || name === 'lo' || numbers.length < 16 || !numbers.every(Number.isFinite)) return []
    return [{ name, rx: traffic(numbers, 0), tx: traffic(numbers, 8) }]
  })
}

function traffic(numbers: readonly number[], at: number): TrafficStats {
  const [bytes = 0, packets = 0, errors = 0, dropped = 0] = numbers.slice(at, at + 4)
  return { bytes, packets, errors, dropped }
}

/** Soft limit of open files in /proc/PID/limits; undefined if unlimited or not known. */
export function softFilesLimit(text: string): number | undefined {
  const digits = /^Max open files\s+(\d+)\s/m.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Numbers by device (`8:0`) and operation. */
export type DeviceNumbers = Readonly<Record<string, Readonly<Record<string, number>>>>

/** Lines `8:0 Read 4096` of the v1 controller blkio; the total of all devices is left out. */
export function parseBlkio(text: string): DeviceNumbers {
  const devices: Record<string, Record<string, number>> = {}
  for (const line of text.split('\n')) {
    const [, device, operation, value] = /^(\d+:\d+) (\w+) (\d+)$/.exec(line) ?? []
    if (device !== undefined && operation !== undefined) {
      devices[device] = { ...devices[device], [operation]: Number(value) }
    }
  }
  return devices
}

/** Lines `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6` of v2; devices without any I/O may be bare. */
export function parseIoStat(text: string): {
  readonly bytes: DeviceNumbers
  readonly operations: DeviceNumbers
} {
  const names = { r: 'Read', w: 'Write', d: 'Discard' } as const
  const bytes: Record<string, Record<string, number>> = {}
  const operations: Record<string, Record<string, number>> = {}
  for (const line of text.split('\n')) {
    const device = /^\d+:\d+/.exec(line)?.[0]
    if (device === undefined) continue
    for (const [, letter, unit, value] of line.matchAll(/\b([rwd])(bytes|ios)=(\d+)/g)) {
      const into = unit === 'bytes' ? bytes : operations
      const name = names[letter as keyof typeof names]
      into[device] = { ...into[device], [name]: Number(value) }
    }
  }
  return { bytes, operations }
}
