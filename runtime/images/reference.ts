import { RuntimeError } from '#base/errors'
import { type Digest, isDigest } from '#base/ids'

/**
 * The name of an image in full form: `docker.io/library/busybox:1.36`. The grammar is that of the distribution
 * project; familiar forms (`busybox`) are completed with docker.io, library/ and :latest.
 */
export interface Reference {
  /** Host with optional port, `docker.io`, `[::1]:5000`. */
  readonly domain: string
  /** `library/busybox`. */
  readonly path: string
  /** "" when the reference is by digest: the digest decides, a tag beside it says nothing. */
  readonly tag: string
  readonly digest: Digest | undefined
}

const defaultDomain = 'docker.io'
const legacyDefaultDomain = 'index.docker.io'
const limits = { domain: 255, path: 255, reference: 1024 } as const

const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const domainGrammar = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`)
const pathGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagGrammar = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const bareId = /^[0-9a-f]{64}$/

/** Errors: `invalid-argument` naming the text and what is wrong with it. */
export function parseReference(text: string): Reference {
  if (text === '') throw new RuntimeError('invalid-argument', 'image reference is empty')
  if (text.length > limits.reference) {
    throw new RuntimeError(
      'invalid-argument',
      `image reference of ${String(text.length)} characters is longer than ${String(limits.reference)}`,
    )
  }
  if (bareId.test(text)) throw malformed(text, 'an image id is not a name')
  const { name, tag, digest } = splitSuffixes(text)
  const { domain, path } = splitDomain(name)
  if (domain.length > limits.domain || !domainGrammar.test(domain)) {
    throw malformed(text, `"${domain}" is not a registry host`)
  }
  if (path.length > limits.path) {
    throw malformed(text, `repository name is longer than ${String(limits.path)} characters`)
  }
  if (!pathGrammar.test(path)) throw malformed(text, pathProblem(path))
  if (digest !== undefined) return { domain, path, tag: '', digest }
  return { domain, path, tag: tag ?? 'latest', digest: undefined }
}

/** The repository in full form, without tag and digest. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`
}

/** The full form; parsing it gives the same reference again. */
export function formatReference(reference: Reference): string {
  return reference.digest === undefined
    ? `${repositoryOf(reference)}:${reference.tag}`
    : `${repositoryOf(reference)}@${reference.digest}`
}

function splitSuffixes(text: string): { name: string; tag: string | undefined; digest: Digest | undefined } {
  const at = text.indexOf('@')
  let digest: Digest | undefined
  let rest = text
  if (at >= 0) {
    const digestText = text.slice(at + 1)
    if (!isDigest(digestText)) throw malformed(text, `"${digestText}" is not sha256: and 64 hex digits`)
    digest = digestText
    rest = text.slice(0, at)
  }
  const colon = rest.lastIndexOf(':')
  if (colon < 0 || rest.indexOf('/', colon) >= 0) return { name: rest, tag: undefined, digest }
  const tag = rest.slice(colon + 1)
  if (!tagGrammar.test(tag)) throw malformed(text, `"${tag}" is not a tag`)
  return { name: rest.slice(0, colon), tag, digest }
}

/** The first component is a host if it has a dot, a colon or a capital letter, or is `localhost`. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost'
  const domain = isHost && first !== legacyDefaultDomain ? first : defaultDomain
  const path = isHost ? name.slice(slash + 1) : name
  const needsLibrary = domain === defaultDomain && !path.includes('/')
  return { domain, path: needsLibrary ? `library/${path}` : path }
}

function pathProblem(path: string): string {
  if (path !== path.toLowerCase()) return 'a repository name has only small letters'
  return 'want lower-case letters and digits, separated by ".", "_", "__", "-" or "/"'
}

function malformed(text: string, problem: string): RuntimeError {
  return new RuntimeError('invalid-argument', `image reference "${text}" is malformed: ${problem}`)
}
