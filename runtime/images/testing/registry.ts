import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { TestBlob, TestImage } from './image-builder.ts'

/** Looks at a request first; true: it has answered (or will never). */
export type Interference = (request: SeenRequest, response: ServerResponse) => boolean

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A registry on loopback that serves what it was given and misbehaves as told. */
export interface TestRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly requests: readonly SeenRequest[]
  addImage(repository: string, tag: string, image: TestImage): void
  addManifest(repository: string, tag: string, blob: TestBlob): void
  addBlob(blob: TestBlob): void
  interfere(interference: Interference): void
  close(): Promise<void>
}

export async function startRegistry(): Promise<TestRegistry> {
  const manifests = new Map<string, TestBlob>()
  const blobs = new Map<string, TestBlob>()
  const requests: SeenRequest[] = []
  let interference: Interference = () => false
  const server = createServer((message, response) => {
    void readBody(message).then(body => {
      const seen = { method: message.method ?? '', url: message.url ?? '', headers: message.headers, body }
      requests.push(seen)
      if (!interference(seen, response)) serve(seen, response, { manifests, blobs })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const addManifest: TestRegistry['addManifest'] = (repository, tag, blob) => {
    manifests.set(`${repository}:${tag}`, blob)
    manifests.set(`${repository}:${blob.digest}`, blob)
  }
  return {
    host: `127.0.0.1:${String(port)}`,
    requests,
    addManifest,
    addBlob: blob => blobs.set(blob.digest, blob),
    addImage(repository, tag, image) {
      addManifest(repository, tag, image.manifest)
      for (const blob of [image.config, ...image.layers]) blobs.set(blob.digest, blob)
    },
    interfere(next) {
      interference = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Answers with a blob, or its part if a range was asked for. */
function sendBlob(request: SeenRequest, response: ServerResponse, blob: TestBlob): void {
  const start = Number(/^bytes=([0-9]+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const bytes = blob.bytes.subarray(start)
  response.writeHead(start > 0 ? 206 : 200, {
    'content-type': blob.mediaType,
    'content-length': bytes.byteLength,
    'docker-content-digest': blob.digest,
    ...(start > 0
      ? { 'content-range': `bytes ${String(start)}-${String(blob.size - 1)}/${String(blob.size)}` }
      : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

/** Promises the whole blob, sends a part and cuts the connection. */
export function cutAfter(bytes: number, response: ServerResponse, blob: TestBlob): void {
  response.writeHead(200, { 'content-length': blob.size })
  response.write(blob.bytes.subarray(0, bytes), () => response.destroy())
}

function serve(
  request: SeenRequest,
  response: ServerResponse,
  content: { readonly manifests: Map<string, TestBlob>; readonly blobs: Map<string, TestBlob> },
): void {
  const path = request.url.split('?')[0] ?? ''
  const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path)
  const name = match?.[3] ?? ''
  const found =
    match?.[2] === 'manifests' ? content.manifests.get(`${match[1] ?? ''}:${name}`) : content.blobs.get(name)
  if (found) sendBlob(request, response, found)
  else {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end('{"errors":[{"code":"NAME_UNKNOWN","message":"no such thing"}]}')
  }
}

async function readBody(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of message) if (Buffer.isBuffer(part)) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}
