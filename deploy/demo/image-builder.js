import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { writeTar } from './tar-writer.js'
import { compressZstd } from './zstd.js'

const mediaTypes = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    index: 'application/vnd.oci.image.index.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
    none: 'application/vnd.oci.image.layer.v1.tar',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    zstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
    none: 'application/vnd.docker.image.rootfs.diff.tar',
  },
}
const created = '2023-11-14T22:13:20Z'
export function digestOf(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
/** Platform of this machine in the words of the image spec. */
export function localPlatform() {
  const names = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' }
  return { os: 'linux', architecture: names[process.arch] ?? process.arch }
}
/** Builds an image in memory. The same spec gives the same digests. */
export async function buildImage(spec) {
  const types = mediaTypes[spec.format ?? 'oci']
  const platform = spec.platform ?? localPlatform()
  const layers = await Promise.all(spec.layers.map(buildLayer))
  const config = Buffer.from(JSON.stringify(imageConfig(spec.config ?? {}, { platform, layers })))
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: descriptor(types.config, config),
      layers: layers.map((layer, i) => descriptor(types[spec.layers[i]?.compression ?? 'gzip'], layer.bytes)),
    }),
  )
  const blobs = new Map(layers.map(layer => [layer.digest, layer.bytes]))
  const configDigest = digestOf(config)
  blobs.set(configDigest, config)
  const digest = digestOf(manifest)
  return { mediaType: types.manifest, digest, manifest, platform, configDigest, layers, blobs, children: [] }
}
/** An index (docker: manifest list) of images for several platforms. */
export function buildIndex(images, format = 'oci') {
  const mediaType = mediaTypes[format].index
  const manifests = images.map(image => ({
    ...descriptor(image.mediaType, image.manifest),
    ...(image.platform ? { platform: image.platform } : {}),
  }))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  return {
    mediaType,
    digest: digestOf(manifest),
    manifest,
    platform: undefined,
    configDigest: '',
    layers: [],
    blobs: new Map(),
    children: images,
  }
}
/** One layer: its tar, its compressed bytes and both digests. */
export async function buildLayer(layer) {
  const tar = writeTar(layer.entries)
  const bytes = await compress(tar, layer.compression ?? 'gzip')
  return { digest: digestOf(bytes), diffId: digestOf(tar), bytes }
}
async function compress(tar, compression) {
  switch (compression) {
    case 'gzip':
      return promisify(gzip)(tar)
    case 'zstd':
      return compressZstd(tar)
    case 'none':
      return tar
  }
}
function descriptor(mediaType, bytes) {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength }
}
function imageConfig(config, { platform, layers }) {
  const asSet = names => names && Object.fromEntries(names.map(name => [name, {}]))
  return {
    created,
    ...platform,
    config: {
      User: config.user,
      Env: config.env,
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      WorkingDir: config.workingDir,
      StopSignal: config.stopSignal,
      Volumes: asSet(config.volumes),
      ExposedPorts: asSet(config.exposedPorts),
      Labels: config.labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
    history: layers.map(() => ({ created })),
  }
}
//# sourceMappingURL=image-builder.js.map
