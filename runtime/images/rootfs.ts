import { lstat, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import { fileError, makeDirectory } from '#base/files'
import { asChainId, type ChainId, type ContainerId, parseDigest } from '#base/ids'
import type { Log } from '#base/log'
import { createUndoStack, type UndoStack } from '#base/undo-stack'
import type { Host, IdMappings } from '#shim/host'
import { hostOwner } from '../host/id-mappings.ts'
import type { ImageId } from '../model/image.ts'
import { createRecordStore } from '../state/record-store.ts'
import type { RootFilesystems, RootfsInput } from './image-store.ts'
import { type LayeredVolume, layerNames, mountImageVolume } from './image-volumes.ts'
import { asJsonObject, createJsonReader, type JsonObject } from './json.ts'
import { imageLimits } from './limits.ts'
import { emptySnapshotName, type Snapshots } from './snapshots/snapshots.ts'
import { copyAttributes } from './unpack/implicit-directories.ts'

export interface RootFilesystemsService extends RootFilesystems {
  start(): Promise<void>
  /**
   * Chain ids of every root file system on disk; undefined while there is one whose record was damaged, because then
   * any layer may be in use.
   */
  chainIds(): Iterable<ChainId> | undefined
}

export interface RootFilesystemsDeps {
  readonly rootDir: string
  readonly host: Host
  readonly log: Log
  readonly snapshots: Snapshots
  readonly chainIdsOfImage: (id: ImageId) => readonly ChainId[] | undefined
  /** Deletes the layers that nobody refers to any more. */
  readonly collect: (ctx: Ctx) => Promise<void>
}

interface RootfsRecord {
  readonly imageId: ImageId
  /** All layers in use, those of volumes, too. */
  readonly chainIds: readonly ChainId[]
}

const version = 1

/**
 * Writable overlays: `ROOT/rootfs/KEY/{upper,work}` and a record `KEY.json` that is written before anything else,
 * so that after a crash both the layers in use and what is to be undone are known.
 */
export function createRootFilesystems(deps: RootFilesystemsDeps): RootFilesystemsService {
  const mountpoint = join(deps.rootDir, 'rootfs')
  const records = createRecordStore<RootfsRecord>({
    directory: mountpoint,
    quarantineDirectory: join(deps.rootDir, 'quarantine'),
    durability: 'process death',
    log: deps.log,
    decode: (json, name) => parseRecord(asJsonObject(json, name), name),
    encode: record => ({ version, ...record }),
  })
  const byKey = new Map<string, RootfsRecord>()
  const withoutRecord = new Set<string>()

  const forget = async (key: string): Promise<void> => {
    await records.remove(key)
    byKey.delete(key)
    withoutRecord.delete(key)
  }

  const prepare = async (ctx: Ctx, input: RootfsInput): Promise<void> => {
    const layered = findLayers(deps, input)
    if (byKey.has(input.key) || withoutRecord.has(input.key)) {
      throw new RuntimeError('already-exists', `there is a root file system for ${input.key} already`)
    }
    const record = { imageId: input.imageId, chainIds: layered.chainIds }
    // In memory before the first wait: from here on the layers are in use.
    byKey.set(input.key, record)
    const undo = createUndoStack(deps.log)
    undo.push('forget root file system', () => forget(input.key))
    try {
      await records.write(input.key, record)
      const mountDeps = { ...deps, mountpoint, undo }
      await mountWritable(ctx, mountDeps, { ...input, layers: layered.layers })
      await mountVolumes(ctx, mountDeps, layered.volumes)
      undo.commit()
    } catch (err) {
      await undo.run()
      throw withContext(`cannot prepare the root file system of ${input.key}`, err)
    }
  }

  return {
    mountpoint,
    async start() {
      byKey.clear()
      withoutRecord.clear()
      for (const [key, record] of await records.load()) byKey.set(key, record)
      for (const entry of await readdir(mountpoint, { withFileTypes: true })) {
        if (entry.isDirectory() && !byKey.has(entry.name)) withoutRecord.add(entry.name)
      }
    },
    chainIds: () =>
      withoutRecord.size > 0 ? undefined : [...byKey.values()].flatMap(record => record.chainIds),
    prepare,
    async remove(ctx, { key, target }) {
      await deps.host.unmount(ctx, [target])
      await deps.host.removeTree(ctx, [join(mountpoint, key)])
      const wasThere = byKey.has(key) || withoutRecord.has(key)
      await forget(key)
      if (wasThere) await deps.collect(ctx)
    },
    async usage(ctx, key) {
      if (!byKey.has(key)) throw new RuntimeError('not-found', `there is no root file system for ${key}`)
      return deps.host.diskUsage(ctx, [join(mountpoint, key, 'upper')])
    },
    layersOf: key => layersOf(deps, mountpoint, { key, record: byKey.get(key) }),
    keys: () => Promise.resolve([...byKey.keys(), ...withoutRecord]),
  }
}

function layersOf(
  { snapshots }: RootFilesystemsDeps,
  mountpoint: string,
  { key, record }: { readonly key: ContainerId; readonly record: RootfsRecord | undefined },
): ReturnType<RootFilesystems['layersOf']> {
  if (!record) throw new RuntimeError('not-found', `there is no root file system for ${key}`)
  const names = layerNames(snapshots, record.chainIds, record.imageId)
  return {
    upper: join(mountpoint, key, 'upper'),
    layers: names.map(name => join(snapshots.directory, name)),
  }
}

interface LayeredRootfs {
  /** Names of snapshots, topmost first. */
  readonly layers: readonly string[]
  readonly volumes: readonly LayeredVolume[]
  /** Of all of them. */
  readonly chainIds: readonly ChainId[]
}

/** Errors: `not-found` for an image that is not there, `failed-precondition` for a layer. */
function findLayers(deps: RootFilesystemsDeps, input: RootfsInput): LayeredRootfs {
  const chainIds = new Set<ChainId>()
  const layersOf = (imageId: ImageId): readonly string[] => {
    const ofImage = deps.chainIdsOfImage(imageId)
    if (!ofImage) throw new RuntimeError('not-found', `there is no image ${imageId}`)
    for (const chainId of ofImage) chainIds.add(chainId)
    return layerNames(deps.snapshots, ofImage, imageId)
  }
  const layers = layersOf(input.imageId)
  const volumes = input.volumes.map(volume => ({ volume, layers: layersOf(volume.imageId) }))
  return { layers, volumes, chainIds: [...chainIds] }
}

interface MountDeps {
  readonly host: Host
  readonly snapshots: Snapshots
  readonly mountpoint: string
  readonly undo: UndoStack
}

async function mountWritable(
  ctx: Ctx,
  { host, snapshots, mountpoint, undo }: MountDeps,
  { key, target, layers, idMappings, label, fill }: RootfsInput & { readonly layers: readonly string[] },
): Promise<void> {
  const directory = join(mountpoint, key)
  undo.push('remove writable layer', undoCtx => host.removeTree(undoCtx, [directory]))
  await makeWritableLayer(directory, join(snapshots.directory, layers[0] ?? emptySnapshotName), idMappings)
  await fill?.(ctx, join(directory, 'upper'))
  undo.push('unmount', undoCtx => host.unmount(undoCtx, [target]))
  await host.mountOverlay(ctx, {
    directory: snapshots.directory,
    layers,
    upper: `../rootfs/${key}/upper`,
    work: `../rootfs/${key}/work`,
    target,
    ...(idMappings ? { idMappings } : {}),
    ...(label === undefined ? {} : { options: `context="${label}"` }),
  })
}

async function mountVolumes(ctx: Ctx, deps: MountDeps, volumes: readonly LayeredVolume[]): Promise<void> {
  for (const one of volumes) {
    deps.undo.push('unmount volume', undoCtx => deps.host.unmount(undoCtx, [one.volume.target]))
    await mountImageVolume(ctx, deps, one)
  }
}

/** The root directory of an overlay looks like that of its upper directory, which therefore copies the top layer's. */
async function makeWritableLayer(
  directory: string,
  topLayer: string,
  idMappings: IdMappings | undefined,
): Promise<void> {
  await makeDirectory(directory, 0o700)
  try {
    await mkdir(join(directory, 'work'), { mode: 0o700 })
    await mkdir(join(directory, 'upper'), { mode: 0o755 })
    const like = await lstat(topLayer)
    // Layers are mapped, this one is as it is on disk.
    const owner = idMappings ? hostOwner(idMappings, like) : like
    await copyAttributes({ ...owner, mode: like.mode }, join(directory, 'upper'))
  } catch (err) {
    throw fileError(`cannot make the writable layer ${directory}`, err)
  }
}

function parseRecord(object: JsonObject, name: string): RootfsRecord {
  const reader = createJsonReader(`root file system record ${name}`, imageLimits.layers)
  if (reader.integer(object, 'version') !== version) throw reader.fail('has another version')
  return {
    imageId: parseDigest(reader.text(object, 'imageId')),
    chainIds: reader.texts(object, 'chainIds').map(text => asChainId(parseDigest(text))),
  }
}
