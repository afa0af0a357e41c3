import type { BuiltImage } from './image-builder.ts'
import type { Answer } from './registry-response.ts'

/** What the registry holds, by repository: a blob of one repository cannot be had through another. */
export interface RegistryContent {
  put(name: string, tag: string, image: BuiltImage): void
  removeTag(name: string, tag: string): void
  manifest(asked: { readonly name: string; readonly reference: string }): Answer
  blob(asked: { readonly name: string; readonly reference: string }): Answer
  tags(asked: { readonly name: string }): Answer
}

interface Repository {
  /** Tag to digest. */
  readonly tags: Map<string, string>
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Buffer }>
  readonly blobs: Map<string, Buffer>
}

export function createRegistryContent(): RegistryContent {
  const repositories = new Map<string, Repository>()
  const open = (name: string): Repository => {
    const known = repositories.get(name)
    if (known) return known
    const made: Repository = { tags: new Map(), manifests: new Map(), blobs: new Map() }
    repositories.set(name, made)
    return made
  }
  return {
    put(name, tag, image) {
      const repository = open(name)
      keep(repository, image)
      repository.tags.set(tag, image.digest)
    },
    removeTag(name, tag) {
      repositories.get(name)?.tags.delete(tag)
    },
    manifest({ name, reference }) {
      const repository = repositories.get(name)
      if (!repository) return missing('NAME_UNKNOWN')
      const digest = repository.tags.get(reference) ?? reference
      const found = repository.manifests.get(digest)
      if (!found) return missing('MANIFEST_UNKNOWN')
      const headers = { 'Content-Type': found.mediaType, 'Docker-Content-Digest': digest }
      return { status: 200, headers, body: found.bytes }
    },
    blob({ name, reference }) {
      const bytes = repositories.get(name)?.blobs.get(reference)
      if (!bytes) return missing('BLOB_UNKNOWN')
      const headers = { 'Content-Type': 'application/octet-stream', 'Docker-Content-Digest': reference }
      return { status: 200, headers, body: bytes, hasRanges: true }
    },
    tags({ name }) {
      const repository = repositories.get(name)
      if (!repository) return missing('NAME_UNKNOWN')
      const body = Buffer.from(JSON.stringify({ name, tags: [...repository.tags.keys()].sort() }))
      return { status: 200, headers: { 'Content-Type': 'application/json' }, body }
    },
  }
}

function keep(repository: Repository, image: BuiltImage): void {
  repository.manifests.set(image.digest, { mediaType: image.mediaType, bytes: image.manifest })
  for (const [digest, bytes] of image.blobs) repository.blobs.set(digest, bytes)
  for (const child of image.children) keep(repository, child)
}

function missing(code: string): Answer {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message: 'not here' }] }))
  return { status: 404, headers: { 'Content-Type': 'application/json' }, body }
}
