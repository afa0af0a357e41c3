import { RuntimeError } from '#base/errors'
import { digestHex, isDigest } from '#base/ids'
import { createKeyedLock } from '#base/locks'
import type { Image, ImageId } from '../model/image.ts'
import type { RecordStore } from '../state/record-store.ts'
import type { ImageRecord } from './records.ts'
import { formatReference, parseReference } from './reference.ts'

/** Names under which an image was pulled; the tag is "" for a pull by digest. */
export interface ImageNames {
  readonly repoTag: string
  readonly repoDigest: string
}

/**
 * The images of this node: memory is the index of the records on disk. A name belongs to one image; giving a tag to
 * another image takes it from the first.
 */
export interface ImageTable {
  start(): Promise<void>
  get(id: ImageId): ImageRecord | undefined
  /** By id, unique id prefix, tag or digest. Errors: `invalid-argument` if a prefix fits several. */
  find(reference: string): ImageRecord | undefined
  all(): Iterable<ImageRecord>
  /** The image that a manifest or index digest was pulled as. */
  findByManifest(digest: string): ImageRecord | undefined
  /** Adds the image, or new names and blobs to the one that has its id. */
  put(record: ImageRecord, names: ImageNames): Promise<void>
  /** Answers false if the image has gone meanwhile. */
  addNames(id: ImageId, names: ImageNames): Promise<boolean>
  remove(id: ImageId): Promise<void>
}

const idPrefix = /^(?:sha256:)?([0-9a-f]{2,64})$/

export function createImageTable(records: RecordStore<ImageRecord>): ImageTable {
  const byId = new Map<ImageId, ImageRecord>()
  const byName = new Map<string, ImageId>()
  const lock = createKeyedLock()
  const index: Index = { byId, byName }

  const store = async (record: ImageRecord, names: ImageNames): Promise<void> => {
    for (const changed of withNames(index, record, names)) {
      await records.write(digestHex(changed.image.id), changed)
      byId.set(changed.image.id, changed)
      rebuildNames(index)
    }
  }

  return {
    async start() {
      byId.clear()
      for (const record of (await records.load()).values()) byId.set(record.image.id, record)
      rebuildNames(index)
    },
    get: id => byId.get(id),
    all: () => byId.values(),
    find(reference) {
      const id = isDigest(reference) ? reference : byName.get(fullName(reference) ?? '')
      return id === undefined ? findByPrefix(byId, reference) : byId.get(id)
    },
    findByManifest(digest) {
      for (const record of byId.values()) {
        if (record.image.repoDigests.some(name => name.endsWith(`@${digest}`))) return record
      }
      return undefined
    },
    put: (record, names) =>
      lock.run('table', async () => {
        const known = byId.get(record.image.id)
        await store(known ? mergeRecords(known, record) : record, names)
      }),
    addNames: (id, names) =>
      lock.run('table', async () => {
        const known = byId.get(id)
        if (known) await store(known, names)
        return known !== undefined
      }),
    remove: id =>
      lock.run('table', async () => {
        await records.remove(digestHex(id))
        byId.delete(id)
        rebuildNames(index)
      }),
  }
}

interface Index {
  readonly byId: Map<ImageId, ImageRecord>
  readonly byName: Map<string, ImageId>
}

function rebuildNames({ byId, byName }: Index): void {
  byName.clear()
  for (const { image } of byId.values()) {
    for (const name of [...image.repoTags, ...image.repoDigests]) byName.set(name, image.id)
  }
}

/**
 * The records to save, in order, for the image to have the names. A tag goes first from its old owner, then to the new
 * one: a crash in between loses a name but never doubles it.
 */
function withNames(index: Index, record: ImageRecord, names: ImageNames): readonly ImageRecord[] {
  const { image } = record
  const named = {
    ...record,
    image: {
      ...image,
      repoTags: withName(image.repoTags, names.repoTag),
      repoDigests: withName(image.repoDigests, names.repoDigest),
    },
  }
  const ownerId = index.byName.get(names.repoTag)
  const owner = ownerId === undefined || ownerId === image.id ? undefined : index.byId.get(ownerId)
  if (!owner) return [named]
  const repoTags = owner.image.repoTags.filter(tag => tag !== names.repoTag)
  return [{ ...owner, image: { ...owner.image, repoTags } }, named]
}

function findByPrefix(byId: ReadonlyMap<ImageId, ImageRecord>, text: string): ImageRecord | undefined {
  const prefix = idPrefix.exec(text)?.[1]
  if (prefix === undefined) return undefined
  const found = [...byId.values()].filter(({ image }) => digestHex(image.id).startsWith(prefix))
  if (found.length > 1) {
    throw new RuntimeError('invalid-argument', `"${text}" is the start of ${String(found.length)} image ids`)
  }
  return found[0]
}

function fullName(text: string): string | undefined {
  try {
    return formatReference(parseReference(text))
  } catch {
    // What is no reference names no image.
    return undefined
  }
}

function mergeRecords(known: ImageRecord, fresh: ImageRecord): ImageRecord {
  const image: Image = {
    ...fresh.image,
    repoTags: known.image.repoTags,
    repoDigests: known.image.repoDigests,
    isPinned: known.image.isPinned,
    pulledAtNs: known.image.pulledAtNs,
  }
  return { image, blobs: [...new Set([...known.blobs, ...fresh.blobs])] }
}

function withName(names: readonly string[], name: string): readonly string[] {
  return name === '' || names.includes(name) ? names : [...names, name].sort()
}
