import { randomBytes } from 'node:crypto'
import { RuntimeError } from './errors.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** 64 lower-case hex digits. */
export type PodId = Branded<'PodId'>
/** 64 lower-case hex digits. */
export type ContainerId = Branded<'ContainerId'>
/** `sha256:` and 64 lower-case hex digits (OCI image spec, descriptor.md, Digests). */
export type Digest = Branded<'Digest'>
/** Digest that names a stack of unpacked layers (OCI image spec, config.md, Layer ChainID). */
export type ChainId = Digest & Branded<'ChainId'>

const hex64 = /^[0-9a-f]{64}$/
const sha256Digest = /^sha256:[0-9a-f]{64}$/

/** Makes new object ids; a parameter so that tests can foresee them. */
export interface Ids {
  podId(): PodId
  containerId(): ContainerId
  /** A short random word for temporary names. */
  token(): string
}

export function createIds(random: (size: number) => Buffer = randomBytes): Ids {
  return {
    podId: () => random(32).toString('hex') as PodId,
    containerId: () => random(32).toString('hex') as ContainerId,
    token: () => random(8).toString('hex'),
  }
}

export function parsePodId(text: string): PodId {
  if (!hex64.test(text)) throw new RuntimeError('invalid-argument', `"${text}" is not a pod sandbox id`)
  return text as PodId
}

export function parseContainerId(text: string): ContainerId {
  if (!hex64.test(text)) throw new RuntimeError('invalid-argument', `"${text}" is not a container id`)
  return text as ContainerId
}

export function isDigest(text: string): text is Digest {
  return sha256Digest.test(text)
}

export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new RuntimeError('invalid-argument', `"${text}" is not a digest: want sha256: and 64 hex digits`)
  }
  return text
}

/** The hex half of a digest, safe as a file name. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length)
}

export function asChainId(digest: Digest): ChainId {
  return digest as ChainId
}
