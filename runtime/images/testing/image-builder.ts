import { gzipSync } from 'node:zlib'
import { makeTar, sha256, type TarEntry } from './tar.ts'

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

export interface TestBlob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly bytes: Buffer
}

export interface TestImage {
  readonly manifest: TestBlob
  readonly config: TestBlob
  readonly layers: readonly TestBlob[]
  readonly id: string
}

export interface TestImageInput {
  readonly layers: readonly (readonly TarEntry[])[]
  /** Merged over the config document, so that tests can break it. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly manifest?: Readonly<Record<string, unknown>>
  readonly diffIds?: readonly string[]
  readonly isDocker?: boolean
  readonly compress?: (tar: Buffer) => Buffer
}

export function makeBlob(mediaType: string, content: Buffer | string | object): TestBlob {
  const isBytes = Buffer.isBuffer(content) || typeof content === 'string'
  const bytes = Buffer.from(isBytes ? content : JSON.stringify(content))
  return { mediaType, digest: sha256(bytes), size: bytes.byteLength, bytes }
}

/** A small sound image, unless the input says otherwise. */
export function makeImage(input: TestImageInput): TestImage {
  const tars = input.layers.map(makeTar)
  const isDocker = input.isDocker === true
  const layerType = isDocker ? mediaTypes.dockerLayer : mediaTypes.layer
  const layers = tars.map(tar => makeBlob(layerType, (input.compress ?? gzipSync)(tar)))
  const config = makeBlob(isDocker ? mediaTypes.dockerConfig : mediaTypes.config, {
    os: 'linux',
    architecture: 'amd64',
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: input.diffIds ?? tars.map(sha256) },
    ...input.config,
  })
  const mediaType = isDocker ? mediaTypes.dockerManifest : mediaTypes.manifest
  const manifest = makeBlob(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
    ...input.manifest,
  })
  return { manifest, config, layers, id: config.digest }
}

export function makeIndex(
  entries: readonly { readonly blob: TestBlob; readonly platform: object | undefined }[],
): TestBlob {
  return makeBlob(mediaTypes.index, {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: entries.map(({ blob, platform }) => ({
      ...descriptorOf(blob),
      ...(platform && { platform }),
    })),
  })
}

function descriptorOf({ mediaType, digest, size }: TestBlob): object {
  return { mediaType, digest, size }
}
