import type { Image, RegistryAuth, StoreUsage } from '#engine/model/image'
import type { v1 } from '#proto'
import { fromBigInt, fromNumber, uint64Value } from './integers.ts'

export function fromImage(image: Image): v1.Image.$Properties {
  return {
    id: image.id,
    repoTags: [...image.repoTags],
    repoDigests: [...image.repoDigests],
    size: fromNumber(image.sizeBytes).toUnsigned(),
    ...fromImageUser(image.config.user),
    spec: { image: image.id },
    pinned: image.isPinned,
  }
}

/** Exactly one of uid and username when the image names a user (`user`, `uid`, either with `:group`). */
function fromImageUser(user: string): v1.Image.$Properties {
  const [name = ''] = user.split(':')
  if (name === '') return {}
  return /^\d{1,10}$/.test(name) ? { uid: { value: fromNumber(Number(name)) } } : { username: name }
}

export function toRegistryAuth(
  input: v1.AuthConfig.$Properties | null | undefined,
): RegistryAuth | undefined {
  if (!input) return undefined
  return {
    username: input.username ?? '',
    password: input.password ?? '',
    auth: input.auth ?? '',
    serverAddress: input.serverAddress ?? '',
    identityToken: input.identityToken ?? '',
    registryToken: input.registryToken ?? '',
  }
}

export function fromStoreUsage(usage: StoreUsage): v1.FilesystemUsage.$Properties {
  return {
    timestamp: fromBigInt(usage.timestampNs),
    fsId: { mountpoint: usage.mountpoint },
    usedBytes: uint64Value(usage.usedBytes),
    inodesUsed: uint64Value(usage.inodesUsed),
  }
}
