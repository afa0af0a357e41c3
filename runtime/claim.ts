import { writeFile } from 'node:fs/promises'
import { isKind, RuntimeError } from '#base/errors'
import { fileError, makeDirectory, readFileIfExists, removePath } from '#base/files'
import type { Host } from '#shim/host'
import type { EngineConfig } from './engine-config.ts'
import type { Paths } from './state/paths.ts'

/** What a killed daemon began may finish first: its lighter-host keeps the locks until then (shim/PROTOCOL.md). */
const lockWaitMs = 20_000
const maxPidBytes = 64
const maxStatBytes = 4096

/**
 * Takes root and state directory for this process, for as long as it lives. Errors: `failed-precondition` at once
 * when another daemon is alive, after a while when one was killed and something of it hangs.
 */
export async function claimDirectories(
  host: Pick<Host, 'lock'>,
  config: EngineConfig,
  paths: Paths,
): Promise<void> {
  await makeDirectory(config.rootDir, 0o711)
  await makeDirectory(config.stateDir, 0o711)
  for (const path of [paths.rootLock, paths.stateLock]) await claim(host, config, path)
  for (const path of [paths.pods, paths.containers, paths.sockets, paths.runtimeRoot]) {
    await makeDirectory(path, 0o711)
  }
  await removePath(paths.forwards) // of connections that ended with a former daemon
  await makeDirectory(paths.forwards, 0o700)
}

async function claim(host: Pick<Host, 'lock'>, config: EngineConfig, path: string): Promise<void> {
  try {
    await host.lock(path, (await isHolderAlive(path)) ? 0 : lockWaitMs)
  } catch (err) {
    if (!isKind(err, 'failed-precondition')) throw err
    throw new RuntimeError(
      'failed-precondition',
      `another lighterd uses ${config.rootDir} or ${config.stateDir}: give this one its own --root and --state`,
      { cause: err },
    )
  }
  try {
    await writeFile(path, `${process.pid}\n`)
  } catch (err) {
    throw fileError(`cannot write ${path}`, err)
  }
}

/** The lock file holds the pid of the daemon that took it last. Only its lighter-host decides whether it is free. */
async function isHolderAlive(path: string): Promise<boolean> {
  const pid = Number((await readFileIfExists(path, maxPidBytes))?.toString())
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  const stat = await readFileIfExists(`/proc/${pid}/stat`, maxStatBytes)
  // proc(5): PID (COMM) STATE ...; a zombie is dead, its parent has not noticed yet.
  return stat !== undefined && !/^.*\) [ZX]/s.test(stat.toString())
}
