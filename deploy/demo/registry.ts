import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RuntimeError } from '#base/errors'
import type { BuiltImage } from './image-builder.ts'
import { type Access, createTokens, type RegistryAuthOptions } from './registry-auth.ts'
import { createRegistryContent, type RegistryContent } from './registry-content.ts'
import { createFaults, type Faults } from './registry-faults.ts'
import { type Answer, sendAnswer } from './registry-response.ts'
import { parseRoute, type Route } from './registry-route.ts'

export interface RegistryOptions {
  /** Default: everybody may pull. */
  readonly auth?: RegistryAuthOptions
  /** True: blobs come from a second server, to which clients are redirected; it refuses Authorization headers. */
  readonly redirectsBlobs?: boolean
  /** Milliseconds since the epoch; default Date.now. */
  readonly now?: () => number
}

/** What a client asked for and got. */
export interface RegistryRequest {
  readonly server: 'registry' | 'storage'
  readonly method: string
  readonly path: string
  readonly kind: Route['kind']
  /** 0 if there was no answer. */
  readonly status: number
  readonly range: string | undefined
  /** Word before the credentials: Basic, Bearer. */
  readonly authorization: string | undefined
}

/** An OCI distribution registry for pulls, on loopback, in memory. */
export interface Registry {
  /** Answers the port. */
  start(): Promise<number>
  /** Breaks all connections. */
  stop(): Promise<void>
  /** `127.0.0.1:PORT`, once started. */
  host(): string
  /** Serves the image (and what an index lists) as NAME:TAG and NAME@DIGEST. */
  put(name: string, tag: string, image: BuiltImage): void
  /** The tag is gone; the manifest can still be had by its digest. */
  removeTag(name: string, tag: string): void
  readonly faults: Faults
  /** The last registryLimits.requests ones, oldest first; those under way are not among them. */
  requests(): readonly RegistryRequest[]
  clearRequests(): void
}

export const registryLimits = { requests: 10_000 } as const

export function createRegistry(options: RegistryOptions = {}): Registry {
  const content = createRegistryContent()
  const faults = createFaults()
  const requests: RegistryRequest[] = []
  const tokens = createTokens(options.auth, options.now ?? Date.now)
  const ports = { registry: 0, storage: 0 }
  const serve = (server: RegistryRequest['server']) =>
    createServer((request, response) => {
      const route = parseRoute(request)
      response.on('close', () => {
        if (requests.length >= registryLimits.requests) requests.shift()
        requests.push(describe({ server, request, response, kind: route.kind }))
      })
      void answerRequest({ server, route, request, content, tokens, ports, options })
        .then(answer => sendAnswer({ request, response }, answer, faults.take(route, request)))
        .catch(() => response.destroy())
    })
  const servers = { registry: serve('registry'), storage: serve('storage') }
  return {
    async start() {
      ports.registry = await listen(servers.registry)
      if (options.redirectsBlobs) ports.storage = await listen(servers.storage)
      return ports.registry
    },
    async stop() {
      await Promise.all([closeServer(servers.registry), closeServer(servers.storage)])
    },
    host: () => `127.0.0.1:${ports.registry}`,
    put(name, tag, image) {
      content.put(name, tag, image)
    },
    removeTag(name, tag) {
      content.removeTag(name, tag)
    },
    faults,
    requests: () => [...requests],
    clearRequests() {
      requests.length = 0
    },
  }
}

interface Asked {
  readonly server: RegistryRequest['server']
  readonly route: Route
  readonly request: IncomingMessage
  readonly content: RegistryContent
  readonly tokens: Access
  readonly ports: { readonly registry: number; readonly storage: number }
  readonly options: RegistryOptions
}

async function answerRequest(asked: Asked): Promise<Answer> {
  const { server, route, request, content, tokens, ports, options } = asked
  if (server === 'storage') {
    if (request.headers.authorization !== undefined) return failure(400, 'UNSUPPORTED')
    return route.kind === 'blob' ? content.blob(route) : failure(404, 'NAME_UNKNOWN')
  }
  if (route.kind === 'token') return tokens.issue(request, route)
  const refusal = tokens.check(request, { route, host: `127.0.0.1:${ports.registry}` })
  if (refusal) return refusal
  switch (route.kind) {
    case 'ping':
      return { status: 200, headers: { 'Content-Type': 'application/json' }, body: Buffer.from('{}') }
    case 'manifest':
      return content.manifest(route)
    case 'tags':
      return content.tags(route)
    case 'blob': {
      const found = content.blob(route)
      if (!options.redirectsBlobs || found.status !== 200) return found
      const location = `http://127.0.0.1:${ports.storage}${request.url ?? ''}`
      return { status: 307, headers: { Location: location }, body: Buffer.alloc(0) }
    }
    case 'unknown':
      return failure(404, 'NAME_UNKNOWN')
  }
}

/** An error body as in the distribution spec. */
function failure(status: number, code: string): Answer {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }))
  return { status, headers: { 'Content-Type': 'application/json' }, body }
}

function describe(asked: {
  readonly server: RegistryRequest['server']
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly kind: Route['kind']
}): RegistryRequest {
  const { server, request, response, kind } = asked
  return {
    server,
    method: request.method ?? '',
    path: request.url ?? '',
    kind,
    status: response.headersSent ? response.statusCode : 0,
    range: request.headers.range,
    authorization: request.headers.authorization?.split(' ')[0],
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', err => {
      reject(
        new RuntimeError('unavailable', 'the embedded registry cannot listen on loopback', { cause: err }),
      )
    })
    server.listen(0, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  await new Promise<void>(resolve => {
    server.close(() => {
      resolve()
    })
    server.closeAllConnections()
  })
}
