import grpc from '@grpc/grpc-js'
import type { AnyMethod, Received, Sent } from './methods.ts'
import { defaultServerLimits } from './server.ts'

export interface CallOptions {
  /** Default: none. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** A client of both CRI services on one socket; knows nothing of lighter, works with every runtime. */
export interface CriClient {
  /** A failed call rejects with grpc-js's ServiceError: `code` (see grpcCode) and `details`. */
  call<M extends AnyMethod>(
    method: M,
    request: Sent<M['request']>,
    options?: CallOptions,
  ): Promise<Received<M['response']>>
  close(): void
}

/** Connects when the first call is made. The caller closes the client. */
export function createCriClient(socketPath: string): CriClient {
  const client = new grpc.Client(`unix:${socketPath}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': defaultServerLimits.messageBytes,
    'grpc.max_send_message_length': defaultServerLimits.messageBytes,
    'grpc.default_authority': 'localhost',
  })
  return {
    call(method, request, options = {}) {
      return unaryCall(client, { method, request, options })
    },
    close() {
      client.close()
    },
  }
}

interface UnaryCall<M extends AnyMethod> {
  readonly method: M
  readonly request: Sent<M['request']>
  readonly options: CallOptions
}

function unaryCall<M extends AnyMethod>(
  client: grpc.Client,
  { method, request, options }: UnaryCall<M>,
): Promise<Received<M['response']>> {
  const { timeoutMs, signal } = options
  const metadata = new grpc.Metadata()
  const callOptions = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest<Sent<M['request']>, Received<M['response']>>(
      method.path,
      message => Buffer.from(method.request.encode(message).finish()),
      bytes => method.response.decode(bytes) as Received<M['response']>,
      request,
      metadata,
      callOptions,
      (err, reply) => {
        signal?.removeEventListener('abort', onAbort)
        if (err) reject(err)
        else if (reply === undefined) reject(new Error(`${method.name} answered nothing`))
        else resolve(reply)
      },
    )
    const onAbort = () => {
      call.cancel()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) call.cancel()
  })
}
