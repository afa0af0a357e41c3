import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Ctx, detached } from '#base/context'
import { messageOf } from '#base/errors'
import { type Host, type IdMappings, namespaceFlags } from '#shim/host'

/** Tries whether this node can have pods with user namespaces. */
export interface UserNamespaceProbe {
  /** Why it cannot; "" if it can. Tried once: the kernel and the file systems stay what they are. */
  problem(ctx: Ctx): Promise<string>
}

export interface UserNamespaceProbeDeps {
  readonly host: Host
  /** Layers of images are on its file system. */
  readonly rootDir: string
  readonly stateDir: string
}

const limits = { probeTimeoutMs: 30_000, shmBytes: 4096 } as const
const someMappings: IdMappings = {
  uids: [{ containerId: 0, hostId: 65_536, length: 65_536 }],
  gids: [{ containerId: 0, hostId: 65_536, length: 65_536 }],
}
const othersMayEnter = 0o001

export function createUserNamespaceProbe(deps: UserNamespaceProbeDeps): UserNamespaceProbe {
  let found: Promise<string> | undefined
  return {
    problem(ctx) {
      found ??= probe(detached(ctx, limits.probeTimeoutMs), deps)
      return found
    },
  }
}

async function probe(ctx: Ctx, deps: UserNamespaceProbeDeps): Promise<string> {
  try {
    const closed = await closedDirectory(deps.stateDir)
    if (closed !== undefined) return `the root of a user namespace may not enter ${closed}: chmod o+x it`
    await tryEverything(ctx, deps)
    return ''
  } catch (err) {
    return messageOf(err)
  }
}

/** The OCI runtime reaches root file systems as the root of the user namespace, who is nobody on the host. */
async function closedDirectory(path: string): Promise<string | undefined> {
  for (let at = path; ; at = dirname(at)) {
    if (((await stat(at)).mode & othersMayEnter) === 0) return at
    if (at === dirname(at)) return undefined
  }
}

/** A user namespace, an idmapped volume on tmpfs (Linux 6.3), and an overlay of idmapped layers (Linux 5.19). */
async function tryEverything(ctx: Ctx, { host, rootDir, stateDir }: UserNamespaceProbeDeps): Promise<void> {
  const [pins, files] = [join(stateDir, 'probe'), join(rootDir, 'probe')]
  await clear(ctx, host, { pins, files })
  try {
    for (const name of ['lower', 'upper', 'work']) await mkdir(join(files, name), { recursive: true })
    await mkdir(pins)
    await host.createSandbox(ctx, {
      directory: pins,
      flags: namespaceFlags.user | namespaceFlags.ipc,
      idMappings: someMappings,
      sysctls: [],
      shmBytes: limits.shmBytes,
      pauseCgroups: [],
    })
    await host.bind(ctx, {
      source: join(pins, 'shm'),
      target: join(pins, 'volume'),
      isRecursive: false,
      attributes: [],
      idMappings: someMappings,
    })
    await host.mountOverlay(ctx, {
      directory: files,
      layers: ['lower'],
      upper: 'upper',
      work: 'work',
      target: join(pins, 'root'),
      idMappings: someMappings,
    })
  } finally {
    await clear(ctx, host, { pins, files })
  }
}

async function clear(
  ctx: Ctx,
  host: Host,
  { pins, files }: { readonly pins: string; readonly files: string },
): Promise<void> {
  await host.unmount(
    ctx,
    ['root', 'volume', 'shm', 'ipc', 'user'].map(name => join(pins, name)),
  )
  await host.removeTree(ctx, [pins, files])
}
