import { pino } from 'pino'
import type { Log } from '#base/log'
import type { LogLevel } from './config/defaults.ts'

/** Lines that a slow reader has not taken; more are dropped. */
const maxPendingBytes = 8 * 1024 * 1024

export interface LogOutput {
  readonly log: Log
  /** Writes what is pending and, unless it is stdout or stderr, closes the file; nothing can be logged afterwards. */
  close(): Promise<void>
}

/** One JSON object per line on the file descriptor (2: stderr), written without blocking. */
export function createLogOutput(level: LogLevel, fd = 2): LogOutput {
  const destination = pino.destination({ fd, sync: false, maxLength: maxPendingBytes })
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  )
  return {
    log,
    close: () =>
      new Promise(resolve => {
        destination.once('close', resolve)
        destination.end()
      }),
  }
}
