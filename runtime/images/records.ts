import { join } from 'node:path'
import { RuntimeError } from '#base/errors'
import { asChainId, type Digest, digestHex, parseDigest } from '#base/ids'
import type { Log } from '#base/log'
import type { Image, ImageConfig } from '../model/image.ts'
import { createRecordStore, type RecordStore } from '../state/record-store.ts'
import { asJsonObject, createJsonReader, type JsonObject, type JsonReader } from './json.ts'
import { imageLimits } from './limits.ts'

const version = 1
const recordEntries = 65_536

/** What the disk knows about one image. */
export interface ImageRecord {
  readonly image: Image
  /** Manifests, indexes and the config that are kept for it. */
  readonly blobs: readonly Digest[]
}

/** `ROOT/images/HEX.json`, by the hex half of the image id. */
export function createImageRecords(rootDir: string, log: Log): RecordStore<ImageRecord> {
  return createRecordStore({
    directory: join(rootDir, 'images'),
    quarantineDirectory: join(rootDir, 'quarantine'),
    durability: 'power loss',
    log,
    decode: (json, name) => parseRecord(asJsonObject(json, name), name),
    encode: encodeRecord,
  })
}

function encodeRecord({ image, blobs }: ImageRecord): JsonObject {
  return { version, ...image, pulledAtNs: String(image.pulledAtNs), blobs }
}

function parseRecord(object: JsonObject, name: string): ImageRecord {
  const reader = createJsonReader(`image record ${name}`, recordEntries)
  if (reader.integer(object, 'version') !== version) throw reader.fail('has another version')
  const id = parseDigest(reader.text(object, 'id'))
  if (digestHex(id) !== name) throw reader.fail(`is about ${id}`)
  const config = reader.object(object, 'config')
  if (!config) throw reader.fail('has no config')
  return {
    image: {
      id,
      repoTags: reader.texts(object, 'repoTags'),
      repoDigests: reader.texts(object, 'repoDigests'),
      manifestDigest: parseDigest(reader.text(object, 'manifestDigest')),
      sizeBytes: reader.integer(object, 'sizeBytes') ?? 0,
      chainIds: reader.texts(object, 'chainIds').map(text => asChainId(parseDigest(text))),
      config: parseConfig(config, reader),
      isPinned: object.isPinned === true,
      pulledAtNs: parseNanoseconds(reader.text(object, 'pulledAtNs')),
    },
    blobs: reader.texts(object, 'blobs').map(parseDigest),
  }
}

function parseConfig(config: JsonObject, reader: JsonReader): ImageConfig {
  return {
    user: reader.text(config, 'user'),
    env: reader.texts(config, 'env'),
    entrypoint: reader.texts(config, 'entrypoint'),
    cmd: reader.texts(config, 'cmd'),
    workingDir: reader.text(config, 'workingDir'),
    stopSignal: reader.text(config, 'stopSignal'),
    volumes: reader.texts(config, 'volumes'),
    labels: reader.table(config, 'labels'),
    os: reader.text(config, 'os'),
    architecture: reader.text(config, 'architecture'),
    created: reader.text(config, 'created'),
  }
}

function parseNanoseconds(text: string): bigint {
  if (!/^[0-9]{1,20}$/.test(text)) {
    throw new RuntimeError('failed-precondition', `"${text}" is not a time in nanoseconds`)
  }
  return BigInt(text)
}

/** Largest config and manifest taken from a registry leave room for the rest of the record. */
export const maxConfigBytes = imageLimits.recordBytes / 2
