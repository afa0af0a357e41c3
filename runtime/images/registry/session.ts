import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { type Digest, isDigest } from '#base/ids'
import type { Log } from '#base/log'
import type { EngineLimits, RegistriesConfig } from '../../engine-config.ts'
import type { RegistryAuth } from '../../model/image.ts'
import { digestOf } from '../content/blobs.ts'
import type { Ingest } from '../content/ingest.ts'
import { imageLimits } from '../limits.ts'
import { acceptedTypes, type Descriptor } from '../manifest.ts'
import { formatReference, type Reference } from '../reference.ts'
import { type Authorizer, createAuthorizer } from './authorizer.ts'
import { credentialsFor } from './credentials.ts'
import { downloadBlob, readSmallBlob } from './download-blob.ts'
import { type Endpoint, findEndpoints, mayBePlain } from './endpoints.ts'
import { createHttpClient, type HttpClient, type HttpResponse } from './http.ts'
import { overPeers } from './over-peers.ts'
import { sendFollowing } from './redirects.ts'
import { statusError } from './status-error.ts'

/** A manifest or index as it was served, checked against its digest if that was known. */
export interface FetchedManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Buffer
}

/**
 * One pull's conversation with a registry and its mirrors: its own connections and tokens, nothing shared with
 * other pulls. Every call tries the endpoints in order, and all of them again after a pause if the last one may come
 * back. Errors: `not-found`, `unauthenticated`, `permission-denied`, `registry-unavailable`, `data-loss` (the bytes
 * are not those of the digest), `resource-exhausted` (a manifest over the limit), `cancelled`, `deadline-exceeded`.
 */
export interface RegistrySession {
  /** The digest that the reference names now, without its manifest; undefined if it is not told. Asks only once. */
  head(ctx: Ctx): Promise<Digest | undefined>
  /** What the reference names. */
  resolve(ctx: Ctx): Promise<FetchedManifest>
  manifest(ctx: Ctx, descriptor: Descriptor): Promise<FetchedManifest>
  /** A blob whose size the caller has found small enough for memory. */
  smallBlob(ctx: Ctx, descriptor: Descriptor): Promise<Buffer>
  /** Writes the blob and commits the ingest. */
  blob(ctx: Ctx, descriptor: Descriptor, ingest: Ingest): Promise<void>
  close(): void
}

export interface SessionDeps {
  readonly registries: RegistriesConfig
  readonly limits: EngineLimits
  readonly clock: Clock
  readonly log: Log
}

export interface SessionInput {
  readonly reference: Reference
  readonly auth: RegistryAuth | undefined
}

/** What one endpoint takes part in a session with. */
export interface Peer {
  readonly endpoint: Endpoint
  readonly authorizer: Authorizer
}

/** A request to one endpoint, authorised and redirected as needed. Path is relative to the repository. */
export type Ask = (
  ctx: Ctx,
  peer: Peer,
  request: {
    readonly method: 'GET' | 'HEAD'
    readonly path: string
    readonly headers: Record<string, string>
  },
) => Promise<HttpResponse>

export async function openSession(deps: SessionDeps, input: SessionInput): Promise<RegistrySession> {
  const { reference } = input
  const endpoints = await findEndpoints(deps.registries, reference.domain, deps.log)
  const client = createHttpClient({
    headersMs: Math.min(imageLimits.headersTimeoutMs, deps.limits.pullProgressTimeoutMs),
    idleMs: deps.limits.pullProgressTimeoutMs,
  })
  const rules = { mayBePlain: (url: URL) => mayBePlain(url, deps.registries) }
  const peers = endpoints.map(endpoint => {
    const credentials = credentialsFor(input.auth, endpoint, reference.domain)
    const repository = reference.path
    return {
      endpoint,
      authorizer: createAuthorizer({ endpoint, credentials, repository, client, rules, clock: deps.clock }),
    }
  })
  const ask = createAsk(client, rules, reference.path)
  const name = formatReference(reference)
  const able = (capability: 'canPull' | 'canResolve') => peers.filter(peer => peer.endpoint[capability])
  const over = <T>(ctx: Ctx, capability: 'canPull' | 'canResolve', work: (peer: Peer) => Promise<T>) =>
    overPeers(ctx, { deps, name, peers: able(capability), attempts: imageLimits.attempts }, work)
  const capability = reference.digest === undefined ? 'canResolve' : 'canPull'
  const target = reference.digest ?? reference.tag

  return {
    head: ctx =>
      overPeers(ctx, { deps, name, peers: able(capability), attempts: 1 }, peer =>
        headManifest(ctx, { ask, peer, target }),
      ),
    resolve: ctx =>
      over(ctx, capability, peer =>
        getManifest(ctx, { ask, peer, target }, { digest: reference.digest, limits: deps.limits }),
      ),
    manifest: (ctx, descriptor) =>
      over(ctx, 'canPull', async peer => {
        const expected = { digest: descriptor.digest, limits: deps.limits }
        const found = await getManifest(ctx, { ask, peer, target: descriptor.digest }, expected)
        if (found.bytes.byteLength === descriptor.size) return { ...found, mediaType: descriptor.mediaType }
        throw new RuntimeError(
          'data-loss',
          `manifest ${descriptor.digest} has ${String(found.bytes.byteLength)} bytes, not ${String(descriptor.size)}`,
        )
      }),
    smallBlob: (ctx, descriptor) =>
      over(ctx, 'canPull', peer => readSmallBlob(ctx, { ask, peer, descriptor })),
    blob: (ctx, descriptor, ingest) =>
      over(ctx, 'canPull', peer => downloadBlob(ctx, { ask, peer, descriptor }, ingest)),
    close: () => {
      client.close()
    },
  }
}

function createAsk(
  client: HttpClient,
  rules: { mayBePlain: (url: URL) => boolean },
  repository: string,
): Ask {
  return async (ctx, { endpoint, authorizer }, { method, path, headers }) => {
    const url = new URL(endpoint.url)
    url.pathname = `${endpoint.url.pathname.replace(/\/$/, '')}/${repository}/${path}`
    if (endpoint.namespace !== undefined) url.searchParams.set('ns', endpoint.namespace)
    for (let isSecond = false; ; isSecond = true) {
      const authorization = await authorizer.authorization(ctx)
      const { response, isForeign } = await sendFollowing(
        ctx,
        { client, rules },
        {
          method,
          url,
          headers: {
            ...Object.fromEntries(endpoint.headers),
            ...headers,
            ...(authorization === undefined ? {} : { authorization }),
          },
          tls: endpoint.tls,
          connectTimeoutMs: endpoint.connectTimeoutMs,
        },
      )
      // A challenge counts only from the endpoint itself: a stranger must not name the token server.
      if (response.status !== 401 || isForeign || isSecond) return response
      const header = response.header('www-authenticate') ?? ''
      response.discard()
      await authorizer.challenge(ctx, header, authorization)
    }
  }
}

interface ManifestQuestion {
  readonly ask: Ask
  readonly peer: Peer
  /** Tag or digest. */
  readonly target: string
}

async function headManifest(ctx: Ctx, { ask, peer, target }: ManifestQuestion): Promise<Digest | undefined> {
  const path = `manifests/${target}`
  const response = await ask(ctx, peer, { method: 'HEAD', path, headers: { accept: acceptedTypes } })
  response.discard()
  const digest = response.header('docker-content-digest') ?? ''
  return response.status === 200 && isDigest(digest) ? digest : undefined
}

async function getManifest(
  ctx: Ctx,
  { ask, peer, target }: ManifestQuestion,
  expected: { readonly digest: Digest | undefined; readonly limits: EngineLimits },
): Promise<FetchedManifest> {
  const path = `manifests/${target}`
  const response = await ask(ctx, peer, { method: 'GET', path, headers: { accept: acceptedTypes } })
  if (response.status !== 200) throw await statusError(response, `manifest ${target}`)
  const mediaType = response.header('content-type') ?? ''
  const bytes = await response.read(expected.limits.manifestBytes)
  const digest = digestOf(bytes)
  if (expected.digest === undefined || expected.digest === digest) return { digest, mediaType, bytes }
  throw new RuntimeError('data-loss', `${response.url.host} serves ${digest} as manifest ${expected.digest}`)
}
