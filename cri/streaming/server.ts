import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import type { SessionOperations } from '#engine/model/session'
import type { StreamingConfig } from '../config/defaults.ts'
import { urlHost } from './address.ts'
import { type Certificates, createCertificates } from './certificates.ts'
import { type Refusal, refuse } from './http-answer.ts'
import { streamingLimits } from './limits.ts'
import type { StreamRequest } from './request.ts'
import { serveConnection } from './serve-connection.ts'
import { createTokens, type Tokens } from './tokens.ts'
import { findRequest, upgrade } from './upgrade.ts'

/** What the handlers of Exec, Attach and PortForward see. */
export interface StreamingUrls {
  /** Good for one connection, for a minute. Errors: `resource-exhausted` when too many are not used. */
  urlFor(request: StreamRequest): Promise<string>
}

export interface StreamingServer extends StreamingUrls {
  /** Sessions that are open. */
  readonly sessions: number
  /** Takes no new connections, ends the sessions. */
  stop(): Promise<void>
}

export interface StreamingInput {
  readonly config: StreamingConfig
  readonly sessions: () => SessionOperations
  readonly log: Log
}

/** Serves exec, attach and port-forward over HTTP. Errors: `failed-precondition` if it cannot listen. The caller stops it. */
export async function openStreamingServer({
  config,
  sessions,
  log,
}: StreamingInput): Promise<StreamingServer> {
  const tokens = createTokens()
  const certificates = config.tls.certFile === '' ? undefined : createCertificates(config.tls, log)
  const server = await createHttpServer(config, certificates)
  const connections = createConnections()
  server.on('request', (message: IncomingMessage, response: ServerResponse) => {
    answerPlainRequest(message, response, tokens)
  })
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', err => {
      log.debug({ err: messageOf(err) }, 'streaming connection failed')
    })
    connections.run(socket, async signal => {
      const upgraded = await upgrade({ message, socket, head, tokens })
      if (!upgraded) return
      endWhenIdle(message.socket, config.idleTimeoutMs)
      await serveConnection({ signal, log }, { ...upgraded, sessions: sessions(), config })
    })
  })
  const port = await listen(server, config)
  const scheme = certificates ? 'https' : 'http'
  const base = `${scheme}://${urlHost(config.address)}:${port}`
  return {
    async urlFor(request) {
      const renewed = await certificates?.reload()
      if (renewed && 'setSecureContext' in server) server.setSecureContext(renewed)
      return `${base}/${request.kind}/${tokens.issue(request)}`
    },
    get sessions() {
      return connections.count
    },
    async stop() {
      const closed = new Promise<void>(resolve => {
        server.close(() => {
          resolve()
        })
      })
      await connections.stop()
      server.closeAllConnections()
      await closed
    },
  }
}

async function createHttpServer(
  { tls }: StreamingConfig,
  certificates: Certificates | undefined,
): Promise<Server | TlsServer> {
  const options: ServerOptions = {
    keepAlive: true,
    keepAliveInitialDelay: streamingLimits.keepAliveMs,
    noDelay: true,
    headersTimeout: streamingLimits.requestMs,
    requestTimeout: streamingLimits.requestMs,
    maxHeaderSize: streamingLimits.requestHeaderBytes,
  }
  const server = certificates
    ? createTlsServer({
        ...options,
        ...(await certificates.load()),
        handshakeTimeout: streamingLimits.requestMs,
        requestCert: tls.clientCaFile !== '',
      })
    : createServer(options)
  server.maxConnections = streamingLimits.connections
  return server
}

function listen(server: Server | TlsServer, { address, port }: StreamingConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', err => {
      const why = `the streaming server cannot listen on ${address} port ${port}: ${errnoOf(err) ?? messageOf(err)}`
      reject(new RuntimeError('failed-precondition', why, { cause: err }))
    })
    server.listen(port, address, () => {
      // A TCP server has an AddressInfo; only those on a path have a string.
      const { port: bound } = server.address() as AddressInfo
      resolve(bound)
    })
  })
}

function endWhenIdle(socket: Socket, idleTimeoutMs: number): void {
  socket.setTimeout(idleTimeoutMs, () => {
    socket.destroy(new RuntimeError('deadline-exceeded', 'nothing was sent or received for too long'))
  })
}

function answerPlainRequest(message: IncomingMessage, response: ServerResponse, tokens: Tokens): void {
  const found = findRequest(message, tokens)
  const refusal: Refusal = 'status' in found ? found : wantsUpgrade
  response.writeHead(refusal.status, {
    ...refusal.headers,
    Connection: 'close',
    'Content-Type': 'text/plain',
  })
  response.end(`${refusal.message}\n`)
}

const wantsUpgrade: Refusal = {
  status: 426,
  message: 'this URL is for SPDY/3.1 or WebSocket',
  headers: { Upgrade: 'SPDY/3.1, websocket' },
}

/** The connections that became sessions, so that they can be ended. */
function createConnections(): {
  readonly count: number
  run(socket: Duplex, serve: (signal: AbortSignal) => Promise<void>): void
  stop(): Promise<void>
} {
  const running = new Map<Duplex, { readonly abort: AbortController; readonly done: Promise<void> }>()
  const stopping = () => new RuntimeError('unavailable', 'lighterd is stopping')
  let isStopping = false
  return {
    get count() {
      return running.size
    },
    run(socket, serve) {
      if (isStopping) {
        refuse(socket, { status: 503, message: stopping().message })
        return
      }
      const abort = new AbortController()
      const done = serve(abort.signal).finally(() => {
        running.delete(socket)
        socket.destroy()
      })
      running.set(socket, { abort, done })
    },
    async stop() {
      isStopping = true
      const ended = Promise.all([...running.values()].map(({ done }) => done))
      for (const { abort } of running.values()) abort.abort(stopping())
      let late: NodeJS.Timeout | undefined
      await Promise.race([
        ended,
        new Promise(resolve => {
          late = setTimeout(resolve, streamingLimits.stopGraceMs)
        }),
      ])
      clearTimeout(late)
      for (const socket of running.keys()) socket.destroy()
      await ended
    },
  }
}
