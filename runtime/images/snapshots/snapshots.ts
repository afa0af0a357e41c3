import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ctx, detached } from '#base/context'
import { messageOf } from '#base/errors'
import { fileError, makeDirectory, pathExists } from '#base/files'
import { asChainId, type ChainId, type Digest, parseDigest } from '#base/ids'
import type { Log } from '#base/log'
import type { Host } from '#shim/host'
import { createRecordStore } from '../../state/record-store.ts'
import { asJsonObject, createJsonReader, type JsonObject } from '../json.ts'
import { imageLimits } from '../limits.ts'
import { unsetRootMode } from '../unpack/implicit-directories.ts'
import { syncFileSystem } from '../unpack/unpack-layer.ts'

/** A layer unpacked on top of its parents; read-only once committed. */
export interface Snapshot {
  readonly chainId: ChainId
  readonly diffId: Digest
  /** Name below the snapshots directory: a short number, so that many fit into one page of mount options. */
  readonly name: string
  readonly bytes: number
  readonly inodes: number
}

/**
 * Unpacked layers: `ROOT/snapshots/N` with its record `N.json`. The record is the commit: a directory without one
 * is a leftover and is removed at start.
 */
export interface Snapshots {
  start(): Promise<void>
  /** Deletes what start() found without a record; may take as long as deleting whole layers does. */
  removeLeftovers(ctx: Ctx): Promise<void>
  /** What short names are relative to. */
  readonly directory: string
  find(chainId: ChainId): Snapshot | undefined
  list(): Iterable<Snapshot>
  /** Makes an empty directory to unpack into. Whoever asks for it commits or discards it. */
  prepare(): Promise<PreparedSnapshot>
  /** All of them, or none is visible; they survive power loss. Those given first are committed first. */
  commit(ctx: Ctx, layers: readonly PendingSnapshot[]): Promise<void>
  discard(prepared: PreparedSnapshot): Promise<void>
  /** Forgets them at once, then deletes them; what cannot be deleted goes at the next start. */
  remove(ctx: Ctx, snapshots: readonly Snapshot[]): Promise<void>
}

export interface PreparedSnapshot {
  readonly name: string
  readonly path: string
}

export interface PendingSnapshot {
  readonly prepared: PreparedSnapshot
  readonly snapshot: Snapshot
}

export interface SnapshotsDeps {
  readonly rootDir: string
  readonly host: Host
  readonly log: Log
}

/** The lower directory of an image without layers; never a snapshot. */
export const emptySnapshotName = '0'

const version = 1
const snapshotName = /^[1-9][0-9]{0,9}$/

export function createSnapshots(deps: SnapshotsDeps): Snapshots {
  const directory = join(deps.rootDir, 'snapshots')
  const records = createRecordStore<Snapshot>({
    directory,
    quarantineDirectory: join(deps.rootDir, 'quarantine'),
    durability: 'power loss',
    log: deps.log,
    decode: (json, name) => parseSnapshot(asJsonObject(json, name), name),
    encode: snapshot => ({ version, ...snapshot }),
  })
  const byChainId = new Map<ChainId, Snapshot>()
  let lastNumber = 0
  let leftovers: string[] = []

  const removeTrees = async (ctx: Ctx, paths: readonly string[]): Promise<void> => {
    try {
      if (paths.length > 0) await deps.host.removeTree(detached(ctx, imageLimits.cleanupTimeoutMs), paths)
    } catch (err) {
      deps.log.warn({ paths, err: messageOf(err) }, 'cannot remove layers, they go at the next start')
    }
  }

  return {
    directory,
    find: chainId => byChainId.get(chainId),
    list: () => byChainId.values(),
    async start() {
      byChainId.clear()
      for (const snapshot of (await records.load()).values()) {
        if (await pathExists(join(directory, snapshot.name))) byChainId.set(snapshot.chainId, snapshot)
        else await records.remove(snapshot.name)
      }
      const known = new Set([...byChainId.values()].map(snapshot => snapshot.name))
      const names = await readdir(directory)
      lastNumber = names.reduce((last, name) => Math.max(last, Number.parseInt(name, 10) || 0), 0)
      await makeDirectory(join(directory, emptySnapshotName))
      leftovers = leftoversOf(names, known, directory)
    },
    removeLeftovers: ctx => removeTrees(ctx, leftovers.splice(0)),
    prepare() {
      lastNumber++
      return makeTemporary(directory, String(lastNumber))
    },
    async commit(ctx, layers) {
      if (layers.length === 0) return
      for (const { prepared } of layers) await moveInPlace(prepared, directory)
      await syncFileSystem(ctx, deps.host, directory)
      try {
        for (const { snapshot } of layers) await records.write(snapshot.name, snapshot)
      } catch (err) {
        for (const { snapshot } of layers) await records.remove(snapshot.name)
        throw err
      }
      for (const { snapshot } of layers) byChainId.set(snapshot.chainId, snapshot)
    },
    async discard(prepared) {
      const ctx = { signal: new AbortController().signal, log: deps.log }
      await removeTrees(ctx, [prepared.path, join(directory, prepared.name)])
    },
    async remove(ctx, snapshots) {
      for (const snapshot of snapshots) byChainId.delete(snapshot.chainId)
      for (const snapshot of snapshots) await records.remove(snapshot.name)
      await removeTrees(
        ctx,
        snapshots.map(snapshot => join(directory, snapshot.name)),
      )
    },
  }
}

async function makeTemporary(directory: string, name: string): Promise<PreparedSnapshot> {
  const path = join(directory, `${name}.tmp`)
  try {
    await mkdir(path, { mode: unsetRootMode })
  } catch (err) {
    throw fileError(`cannot make ${path}`, err)
  }
  return { name, path }
}

async function moveInPlace(prepared: PreparedSnapshot, directory: string): Promise<void> {
  try {
    await rename(prepared.path, join(directory, prepared.name))
  } catch (err) {
    throw fileError(`cannot commit layer ${prepared.path}`, err)
  }
}

function leftoversOf(names: readonly string[], known: ReadonlySet<string>, directory: string): string[] {
  const kept = (name: string) => name.endsWith('.json') || name === emptySnapshotName || known.has(name)
  return names.filter(name => !kept(name)).map(name => join(directory, name))
}

function parseSnapshot(object: JsonObject, name: string): Snapshot {
  const reader = createJsonReader(`snapshot record ${name}`, imageLimits.layers)
  if (reader.integer(object, 'version') !== version) throw reader.fail('has another version')
  if (!snapshotName.test(name) || reader.text(object, 'name') !== name) throw reader.fail('is about another')
  return {
    name,
    chainId: asChainId(parseDigest(reader.text(object, 'chainId'))),
    diffId: parseDigest(reader.text(object, 'diffId')),
    bytes: reader.integer(object, 'bytes') ?? 0,
    inodes: reader.integer(object, 'inodes') ?? 0,
  }
}
