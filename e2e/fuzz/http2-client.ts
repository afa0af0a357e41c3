import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2'
import { createConnection } from 'node:net'
import type { AnyMethod } from '../../cri/grpc/methods.ts'

/** A gRPC client that keeps no rules: what it sends is what the test says. */
export interface Http2Client {
  /** Sends the body; answers grpc-status, or the error that ended the stream. */
  post(
    method: Pick<AnyMethod, 'path'>,
    body: readonly Buffer[],
    headers?: IncomingHttpHeaders,
  ): Promise<string>
  /** Announces a message of this size, and sends none of it; answers like `post`. */
  claim(method: Pick<AnyMethod, 'path'>, bytes: number): Promise<string>
  /** Sends this much of a body and leaves the call open. */
  begin(method: Pick<AnyMethod, 'path'>, body: Buffer): void
  /** Begins a call and resets it at once. */
  reset(method: Pick<AnyMethod, 'path'>, body: Buffer): void
  readonly closed: Promise<void>
  close(): void
}

const answerTimeoutMs = 20_000

export function openHttp2Client(socketPath: string): Http2Client {
  const session: ClientHttp2Session = connectHttp2('http://localhost', {
    createConnection: () => createConnection(socketPath),
  })
  session.on('error', () => undefined)
  const open = (path: string, headers: IncomingHttpHeaders = {}) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    stream.on('error', () => undefined)
    return stream
  }
  return {
    post({ path }, body, headers) {
      const stream = open(path, headers)
      for (const part of body) stream.write(part)
      stream.end()
      return answerOf(stream, path)
    },
    claim({ path }, bytes) {
      const stream = open(path)
      stream.write(grpcMessage(Buffer.alloc(0), bytes))
      return answerOf(stream, path)
    },
    begin({ path }, body) {
      open(path).write(body)
    },
    reset({ path }, body) {
      const stream = open(path)
      stream.end(body)
      stream.close()
    },
    closed: new Promise(resolve => {
      session.once('close', resolve)
    }),
    close() {
      session.destroy()
    },
  }
}

function answerOf(stream: ClientHttp2Stream, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (received: IncomingHttpHeaders & IncomingHttpStatusHeader) => {
      const { ':status': status = 200, 'grpc-status': code } = received
      if (code !== undefined) resolve(String(code))
      else if (status !== 200) resolve(`HTTP ${status}`)
    }
    stream.on('response', look)
    stream.on('trailers', look)
    stream.on('close', () => {
      resolve('closed')
    })
    stream.setTimeout(answerTimeoutMs, () => {
      reject(new Error(`no answer from ${path}`))
    })
    stream.resume()
  })
}

/** A message with the five bytes in front that gRPC wants. */
export function grpcMessage(message: Uint8Array, claimedBytes = message.length): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(claimedBytes, 1)
  return Buffer.concat([prefix, message])
}
