import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import { urlHost } from '../streaming/address.ts'

/** A scraper is one connection and a short request. */
export const pageLimits = {
  connections: 32,
  headerBytes: 8 * 1024,
  /** A request has to be here within this time. */
  requestMs: 5_000,
  /** How long a connection may be idle between requests; longer than the usual pause between two scrapes. */
  idleMs: 75_000,
  /** The answer has to be taken within this time. */
  answerMs: 10_000,
} as const

export interface PageInput {
  readonly address: string
  /** 0: any free one. */
  readonly port: number
  /** Makes the text; those who come while it is made share it. */
  readonly render: () => Promise<string>
  readonly contentType: string
  readonly log: Log
  readonly limits?: Partial<Record<keyof typeof pageLimits, number>>
}

export interface RunningPage {
  readonly url: string
  stop(): Promise<void>
}

/**
 * Serves one page, /metrics, over HTTP. Errors: `failed-precondition` if it cannot listen. The caller stops it.
 */
export async function servePage(input: PageInput): Promise<RunningPage> {
  const limits = { ...pageLimits, ...input.limits }
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.ceil(limits.requestMs / 5),
  })
  server.maxConnections = limits.connections
  // One that connects and says nothing is no request yet, and would be nobody's.
  server.setTimeout(limits.idleMs)
  const rendering = createShared(input.render)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const late = setTimeout(() => request.socket.destroy(), limits.answerMs)
    response.once('close', () => {
      clearTimeout(late)
    })
    void answer({ ...input, render: rendering }, request, response)
  })
  const port = await listen(server, input)
  return {
    url: `http://${urlHost(input.address)}:${port}/metrics`,
    async stop() {
      const closed = new Promise<void>(resolve => {
        server.close(() => {
          resolve()
        })
      })
      server.closeAllConnections()
      await closed
    },
  }
}

type Answering = Pick<PageInput, 'render' | 'contentType' | 'log'>

async function answer(input: Answering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '' } = request
  if (pathOf(request) !== '/metrics') {
    refuse(response, 404, 'only /metrics is here')
    return
  }
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    refuse(response, 405, `${method} is not allowed`)
    return
  }
  try {
    const text = Buffer.from(await input.render())
    response.writeHead(200, { 'Content-Type': input.contentType, 'Content-Length': text.byteLength })
    response.end(text)
  } catch (err) {
    input.log.error({ err: messageOf(err) }, 'metrics cannot be shown')
    refuse(response, 500, 'internal error')
  }
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? ''
}

/** What else such a client sends is not read. */
function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain', Connection: 'close' })
  response.end(`${message}\n`)
}

/** Work that is under way is not begun a second time. */
function createShared(work: () => Promise<string>): () => Promise<string> {
  let running: Promise<string> | undefined
  return () => {
    running ??= work().finally(() => {
      running = undefined
    })
    return running
  }
}

function listen(server: Server, { address, port }: PageInput): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', err => {
      const why = `metrics cannot be served on ${address} port ${port}: ${errnoOf(err) ?? messageOf(err)}`
      reject(
        new RuntimeError('failed-precondition', `${why}: set metrics.port to a free one`, { cause: err }),
      )
    })
    server.listen(port, address, () => {
      // A TCP server has an AddressInfo; only those on a path have a string.
      const { port: bound } = server.address() as AddressInfo
      resolve(bound)
    })
  })
}
