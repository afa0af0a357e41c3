import * as http from 'node:http'
import * as https from 'node:https'
import { rootCertificates } from 'node:tls'
import { abortError, type Ctx } from '#base/context'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { imageLimits } from '../limits.ts'
import type { TlsSettings } from './endpoints.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly tls: TlsSettings
  readonly connectTimeoutMs: number
}

/** An answer whose body has not been read; exactly one of chunks, read and discard is to be called. */
export interface HttpResponse {
  readonly status: number
  readonly url: URL
  header(name: string): string | undefined
  /** Errors: `unavailable` if the connection is cut, `registry-unavailable` if it stands still for too long. */
  chunks(): AsyncIterable<Buffer>
  /** Errors: those of chunks, and `resource-exhausted` over maxBytes. */
  read(maxBytes: number): Promise<Buffer>
  discard(): void
}

/**
 * Plain HTTP exchanges over kept-alive connections; follows nothing, knows no credentials. Errors: `unavailable`
 * for what may pass (refused, reset, no name, time-out), `registry-unavailable` for what will not (bad certificate),
 * `cancelled` and `deadline-exceeded` from ctx.
 */
export interface HttpClient {
  send(ctx: Ctx, request: HttpRequest): Promise<HttpResponse>
  /** Closes every connection. */
  close(): void
}

export interface HttpTimeouts {
  readonly headersMs: number
  /** Without a byte of the body. */
  readonly idleMs: number
}

const temporary = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EMFILE',
])

export function createHttpClient(timeouts: HttpTimeouts): HttpClient {
  const plain = new http.Agent({ keepAlive: true })
  const secure = new Map<TlsSettings, https.Agent>()
  const secureAgent = (tls: TlsSettings) => {
    const agent = secure.get(tls) ?? new https.Agent({ keepAlive: true, ...tlsOptions(tls) })
    secure.set(tls, agent)
    return agent
  }
  return {
    async send(ctx, request) {
      const isSecure = request.url.protocol === 'https:'
      const agent = isSecure ? secureAgent(request.tls) : plain
      const message = await exchange(ctx, request, { agent, headersMs: timeouts.headersMs })
      return createResponse(ctx, request.url, { message, idleMs: timeouts.idleMs })
    },
    close() {
      plain.destroy()
      for (const agent of secure.values()) agent.destroy()
    },
  }
}

function tlsOptions(tls: TlsSettings): https.AgentOptions {
  return {
    rejectUnauthorized: !tls.skipsVerify,
    minVersion: 'TLSv1.2',
    ...(tls.ca.length > 0 ? { ca: [...rootCertificates, ...tls.ca] } : {}),
    ...(tls.clients.length > 0
      ? { cert: tls.clients.map(client => client.certificate), key: tls.clients.map(client => client.key) }
      : {}),
  }
}

interface Connection {
  readonly agent: http.Agent
  readonly headersMs: number
}

/** First the connection has its time, then the answer. */
function exchange(ctx: Ctx, input: HttpRequest, connection: Connection): Promise<http.IncomingMessage> {
  const isSecure = input.url.protocol === 'https:'
  const send = isSecure ? https.request : http.request
  return new Promise((resolve, reject) => {
    const request = send(input.url, {
      method: input.method,
      headers: { 'user-agent': 'lighter', ...input.headers },
      agent: connection.agent,
      signal: ctx.signal,
    })
    const give = (milliseconds: number, what: string) =>
      setTimeout(() => {
        request.destroy(
          new RuntimeError('unavailable', `${input.url.host} ${what} within ${String(milliseconds)} ms`),
        )
      }, milliseconds)
    let timer = give(input.connectTimeoutMs, 'did not accept the connection')
    const connected = () => {
      clearTimeout(timer)
      timer = give(connection.headersMs, 'did not answer')
    }
    request.on('socket', socket => {
      if (socket.connecting) socket.once(isSecure ? 'secureConnect' : 'connect', connected)
      else connected()
    })
    request.on('response', message => {
      clearTimeout(timer)
      resolve(message)
    })
    request.on('error', err => {
      clearTimeout(timer)
      reject(networkError(ctx, input.url, err))
    })
    request.end(input.body)
  })
}

function createResponse(
  ctx: Ctx,
  url: URL,
  body: { readonly message: http.IncomingMessage; readonly idleMs: number },
): HttpResponse {
  const { message } = body
  const chunks = () => readChunks(ctx, url, body)
  return {
    status: message.statusCode ?? 0,
    url,
    header(name) {
      const value = message.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    chunks,
    async read(maxBytes) {
      const parts: Buffer[] = []
      let size = 0
      for await (const chunk of chunks()) {
        size += chunk.byteLength
        if (size > maxBytes) {
          throw new RuntimeError(
            'resource-exhausted',
            `the answer of ${url.host} is longer than ${String(maxBytes)} bytes`,
          )
        }
        parts.push(chunk)
      }
      return Buffer.concat(parts)
    },
    discard() {
      message.on('error', () => undefined)
      const length = Number(message.headers['content-length'] ?? Number.POSITIVE_INFINITY)
      // A short body is read off, so that its connection can be used again.
      if (length <= imageLimits.errorBodyBytes) message.resume()
      else message.destroy()
    },
  }
}

/** The clock stands while the reader is busy: only the sender's silence counts. */
async function* readChunks(
  ctx: Ctx,
  url: URL,
  { message, idleMs }: { readonly message: http.IncomingMessage; readonly idleMs: number },
): AsyncGenerator<Buffer> {
  const watch = () =>
    setTimeout(() => {
      message.destroy(
        new RuntimeError('registry-unavailable', `${url.host} sent nothing for ${String(idleMs)} ms`),
      )
    }, idleMs)
  let timer = watch()
  try {
    for await (const chunk of message) {
      clearTimeout(timer)
      if (Buffer.isBuffer(chunk)) yield chunk
      timer = watch()
    }
  } catch (err) {
    throw networkError(ctx, url, err)
  } finally {
    clearTimeout(timer)
  }
}

function networkError(ctx: Ctx, url: URL, err: unknown): RuntimeError {
  if (ctx.signal.aborted) return abortError(ctx.signal)
  if (err instanceof RuntimeError) return err
  const errno = errnoOf(err)
  const isTemporary = errno !== undefined && (temporary.has(errno) || errno.startsWith('HPE_'))
  const text = messageOf(err).slice(0, imageLimits.errorTextLength)
  return new RuntimeError(
    isTemporary ? 'unavailable' : 'registry-unavailable',
    `cannot talk to ${url.host}: ${text === '' ? (errno ?? 'unknown error') : text}`,
    { cause: err },
  )
}
