import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Ctx } from '#base/context'
import { errnoOf } from '#base/errors'
import { silentLog } from '#base/log'
import type { Host } from '../host.ts'
import { createHost } from '../lighter-host.ts'

/** The real lighter-host with a directory of the test's own; both go when the test ends, with all mounts. */
export interface HostFixture {
  readonly host: Host
  readonly ctx: Ctx
  readonly directory: string
}

const waitLimits = { attempts: 500, pauseMs: 10 } as const

/** Path of a native program. */
export function nativeProgram(name: string): string {
  return fileURLToPath(new URL(`../../../native/${name}`, import.meta.url))
}

export async function startHost(t: TestContext): Promise<HostFixture> {
  const host = createHost({ programPath: nativeProgram('lighter-host'), log: silentLog })
  t.after(() => host.stop())
  const directory = await temporaryDirectory(t)
  await host.start()
  return { host, ctx: { signal: new AbortController().signal, log: silentLog }, directory }
}

/** A directory that goes, with all mounts in it, when the test ends. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-host-'))
  t.after(async () => {
    for (const target of (await mountsBelow(directory)).reverse()) await command('umount', ['-l', target])
    await rm(directory, { recursive: true, force: true })
  })
  return directory
}

/** Mount points at or below a path, in the order in which they were mounted. */
export async function mountsBelow(directory: string, pid: number | 'self' = 'self'): Promise<string[]> {
  const mountinfo = await readFile(`/proc/${pid}/mountinfo`, 'utf8')
  return mountinfo
    .split('\n')
    .map(line => line.split(' ')[4] ?? '')
    .filter(target => target === directory || target.startsWith(`${directory}/`))
}

/** Standard output of a command that must succeed. */
export async function command(file: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(file, args)
  return stdout
}

/** Waits until `isTrue` answers true; fails with `what` if it does not in 5 s. */
export async function waitUntil(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < waitLimits.attempts; attempt++) {
    if (await isTrue()) return
    await delay(waitLimits.pauseMs)
  }
  throw new Error(`waited in vain: ${what}`)
}

/** False once the process is dead, also while nobody has reaped it. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return !/\) [ZX] /.test(stat)
  } catch (err) {
    if (errnoOf(err) === 'ENOENT' || errnoOf(err) === 'ESRCH') return false
    throw err
  }
}

/** The number that a process of the test writes into a file. */
export async function readPid(path: string): Promise<number> {
  let text = ''
  await waitUntil(`a pid in ${path}`, async () => {
    text = await readFile(path, 'utf8').catch(() => '')
    return text.endsWith('\n')
  })
  return Number(text)
}
