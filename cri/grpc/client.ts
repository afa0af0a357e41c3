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
  /**
   * Calls an RPC that answers with a stream. Messages are asked for one by one: a caller that does not read makes the
   * server wait. Leaving the iteration cancels the call; a failed one throws like `call` rejects.
   */
  stream<M extends AnyMethod>(
    method: M,
    request: Sent<M['request']>,
    options?: CallOptions,
  ): MessageStream<Received<M['response']>>
  close(): void
}

export interface MessageStream<Message> extends AsyncIterable<Message> {
  /** Settles when the server took the request, or the call ended without. */
  readonly opened: Promise<void>
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
    stream(method, request, options = {}) {
      return streamCall(client, { method, request, options })
    },
    close() {
      client.close()
    },
  }
}

interface Call<M extends AnyMethod> {
  readonly method: M
  readonly request: Sent<M['request']>
  readonly options: CallOptions
}

function unaryCall<M extends AnyMethod>(
  client: grpc.Client,
  { method, request, options }: Call<M>,
): Promise<Received<M['response']>> {
  const { signal } = options
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest<Sent<M['request']>, Received<M['response']>>(
      method.path,
      message => Buffer.from(method.request.encode(message).finish()),
      bytes => method.response.decode(bytes) as Received<M['response']>,
      request,
      new grpc.Metadata(),
      deadlineOf(options),
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

function streamCall<M extends AnyMethod>(
  client: grpc.Client,
  { method, request, options }: Call<M>,
): MessageStream<Received<M['response']>> {
  const call = client.makeServerStreamRequest<Sent<M['request']>, Received<M['response']>>(
    method.path,
    message => Buffer.from(method.request.encode(message).finish()),
    bytes => method.response.decode(bytes) as Received<M['response']>,
    request,
    new grpc.Metadata(),
    deadlineOf(options),
  )
  let early: Error | undefined
  const opened = new Promise<void>(resolve => {
    call.once('metadata', () => {
      resolve()
    })
    // A failure is for the iteration to throw; nobody may be iterating yet, or any more.
    call.once('error', err => {
      early = err
      resolve()
    })
  })
  // Until it is asked for a first message the transport takes in everything that comes.
  call.read(0)
  const cancel = (): void => {
    call.cancel()
  }
  options.signal?.addEventListener('abort', cancel, { once: true })
  if (options.signal?.aborted) cancel()
  return {
    opened,
    async *[Symbol.asyncIterator]() {
      try {
        for await (const message of call) yield message as Received<M['response']>
        // One that was over before the iteration began ends without a word.
        if (early) throw early
      } finally {
        options.signal?.removeEventListener('abort', cancel)
        cancel()
      }
    },
  }
}

function deadlineOf({ timeoutMs }: CallOptions): grpc.CallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }
}
