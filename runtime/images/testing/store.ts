import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createClock } from '#base/clock'
import type { Ctx } from '#base/context'
import { createIds } from '#base/ids'
import { silentLog } from '#base/log'
import type { Host } from '#shim/host'
import { createHost } from '#shim/lighter-host'
import type { EngineLimits } from '../../engine-config.ts'
import { silentObserver } from '../../model/observer.ts'
import { createImageStore, type ImageStoreDeps } from '../create-image-store.ts'
import type { ImageStore } from '../image-store.ts'

const programs = fileURLToPath(new URL('../../../native', import.meta.url))

const testLimits: EngineLimits = {
  layerDownloads: 3,
  pullProgressTimeoutMs: 10_000,
  manifestBytes: 256 * 1024,
  layerBytes: 64 * 1024 * 1024,
  layerInodes: 1000,
  cniPluginTimeoutMs: 1000,
  runtimeTimeoutMs: 1000,
  execSyncBytes: 1024,
}

/** A real image store with the real native helpers in a directory of its own. */
export interface StoreBench {
  /** The newest one. */
  readonly store: ImageStore
  readonly root: string
  readonly certsDir: string
  readonly host: Host
  readonly ctx: Ctx
  /** Everything below root that a failed pull must not leave, relative to root. */
  leftovers(): Promise<readonly string[]>
  /** Replaces the store by a new one on the same root, as after a crash of the daemon. */
  restart(): Promise<ImageStore>
  close(): Promise<void>
}

export interface BenchInput {
  readonly limits?: Partial<EngineLimits>
  readonly deps?: Partial<ImageStoreDeps>
  /** Where the root is made. */
  readonly parent?: string
}

export async function startStore(input: BenchInput = {}): Promise<StoreBench> {
  const directory = await mkdtemp(join(input.parent ?? tmpdir(), 'lighter-images-'))
  const root = join(directory, 'root')
  const certsDir = join(directory, 'certs.d')
  await mkdir(certsDir)
  const host = createHost({ programPath: join(programs, 'lighter-host'), log: silentLog })
  await host.start()
  const clock = createClock()
  const deps: ImageStoreDeps = {
    rootDir: root,
    host,
    unpackProgram: join(programs, 'lighter-unpack'),
    registries: { certsDir, insecureHosts: [] },
    limits: { ...testLimits, ...input.limits },
    // Pauses between attempts are not what these tests are about.
    clock: { now: () => clock.now(), sleep: (_, signal) => clock.sleep(1, signal) },
    ids: createIds(),
    log: silentLog,
    observer: silentObserver,
    platform: { os: 'linux', architecture: 'amd64', variant: '' },
    ...input.deps,
  }
  let store = createImageStore(deps)
  const ctx: Ctx = { signal: new AbortController().signal, log: silentLog }
  await store.start(ctx)
  return {
    get store() {
      return store
    },
    root,
    certsDir,
    host,
    ctx,
    leftovers: () => leftovers(root),
    async restart() {
      store = createImageStore(deps)
      await store.start(ctx)
      return store
    },
    async close() {
      await store.stop()
      await host.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function leftovers(root: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const place of ['content/ingest', 'content/blobs/sha256', 'images', 'snapshots', 'rootfs']) {
    for (const name of await readdir(join(root, place))) {
      if (place !== 'snapshots' || name !== '0') found.push(`${place}/${name}`)
    }
  }
  return found
}

/** Looks again and again until the check passes; its last failure after five seconds. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  const end = performance.now() + 5000
  for (;;) {
    try {
      await check()
      return
    } catch (err) {
      if (performance.now() > end) throw err
      await delay(20)
    }
  }
}
