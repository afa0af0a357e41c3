import { v1 } from '#proto'
import { invalid } from './fields.ts'

/** Name of a signal as images and runtimes write it (`SIGTERM`, `SIGRTMIN+3`); "" for the default. */
export function signalName(signal: v1.Signal | null | undefined): string {
  if (!signal) return ''
  const found = signals().find(known => known.signal === signal)
  if (!found) throw invalid(`config.stop_signal is not a signal of the interface: ${String(signal)}`)
  return found.name
}

/** The interface's signal of that name; one that it does not have is the default. */
export function signalNamed(name: string): v1.Signal {
  return signals().find(known => known.name === name)?.signal ?? v1.Signal.SIGNAL_RUNTIME_DEFAULT
}

interface NamedSignal {
  readonly name: string
  readonly signal: v1.Signal
}

/** The enum's own names, without its prefix, and with the signs that an identifier cannot have. */
function signals(): readonly NamedSignal[] {
  return Object.entries(v1.Signal).flatMap(([key, signal]) =>
    typeof signal === 'string' || signal === v1.Signal.SIGNAL_RUNTIME_DEFAULT
      ? []
      : [{ name: key.replace('SIGNAL_', '').replace('PLUS', '+').replace('MINUS', '-'), signal }],
  )
}
