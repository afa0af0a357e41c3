import { setTimeout as delay } from 'node:timers/promises'
import { readText } from '../../harness/files.ts'
import type { Cluster } from '../cluster.ts'
import type { Mirror } from './mirror.ts'

/** What one kill of the daemon showed. */
export interface Round {
  readonly kills: number
  readonly elapsedMs: number
  /** From the start of the process until it answered. */
  readonly startMs: number
  /** Resident, shortly before the next kill. */
  readonly daemonMebibytes: number
  readonly events: number
  readonly problems: readonly string[]
}

export interface RoundsOptions {
  readonly endsAtMs: number
  readonly everyMs: number
  readonly mirror: Mirror
  readonly onRound: (round: Round) => Promise<void>
}

/** Kills and starts the daemon until the time is up, and lets it live for the last part. */
export async function killRepeatedly(
  { world }: Cluster,
  { endsAtMs, everyMs, mirror, onRound }: RoundsOptions,
): Promise<readonly Round[]> {
  const rounds: Round[] = []
  const beganMs = Date.now()
  while (Date.now() < endsAtMs) {
    const wrong = await mirror.pause()
    await world.daemon.kill()
    const killedMs = Date.now()
    await world.daemon.start()
    const startMs = Date.now() - killedMs
    const forgotten = await mirror.resume()
    await delay(Math.max(0, Math.min(everyMs - startMs, endsAtMs - Date.now())))
    const round = {
      kills: rounds.length + 1,
      elapsedMs: Date.now() - beganMs,
      startMs,
      daemonMebibytes: await residentMebibytes(world.daemon.pid()),
      events: mirror.events,
      problems: [...wrong, ...forgotten],
    }
    rounds.push(round)
    await onRound(round)
  }
  return rounds
}

async function residentMebibytes(pid: number): Promise<number> {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(await readText(`/proc/${String(pid)}/status`))?.[1]
  return Number(kibibytes ?? 0) / 1024
}
