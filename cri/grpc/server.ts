import { once } from 'node:events'
import { chmod, chown, lstat, rename, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import grpc from '@grpc/grpc-js'
import { abortError } from '#base/context'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { fileError, makeDirectory } from '#base/files'
import type { StreamMethod, UnaryMethod, WireMethod } from './handler.ts'

export interface Service {
  /** `runtime.v1.RuntimeService`; for the reader only. */
  readonly name: string
  readonly methods: readonly WireMethod[]
}

export interface ServerLimits {
  /** One message, in or out. */
  readonly messageBytes: number
  /** Calls at once on one connection; more wait at the client. */
  readonly concurrentCalls: number
  /** Running calls get this long to end when the server stops; then they are cut. */
  readonly stopGraceMs: number
  /** Streams are ended when the server stops; those whose client does not take the end are cut after this time. */
  readonly streamGraceMs: number
  /** Every connection is asked so often whether somebody is there, and closed when nobody answers in time. */
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/** The kubelet receives up to 16 MiB; a busy node's list answers come near to it. */
export const defaultServerLimits: ServerLimits = {
  messageBytes: 64 * 1024 * 1024,
  concurrentCalls: 1024,
  stopGraceMs: 10_000,
  streamGraceMs: 500,
  pingIntervalMs: 10_000,
  pingTimeoutMs: 15_000,
}

export interface ServeInput {
  readonly socketPath: string
  readonly services: readonly Service[]
  readonly limits: ServerLimits
}

export interface RunningServer {
  /** Takes no new calls, ends streams, lets other calls end for a bounded time, removes the socket. */
  stop(): Promise<void>
}

/**
 * Serves gRPC on a unix socket, mode 0660, owner root. A socket that nobody serves is replaced; when somebody does,
 * `failed-precondition`. The caller stops the server.
 */
export async function serve({ socketPath, services, limits }: ServeInput): Promise<RunningServer> {
  await makeDirectory(dirname(socketPath))
  await refuseIfServed(socketPath)
  const server = new grpc.Server({
    'grpc.max_receive_message_length': limits.messageBytes,
    'grpc.max_send_message_length': limits.messageBytes,
    'grpc.max_concurrent_streams': limits.concurrentCalls,
    // Node never closes a connection on which it has seen a protocol error, also when the client is gone long since.
    'grpc.keepalive_time_ms': limits.pingIntervalMs,
    'grpc.keepalive_timeout_ms': limits.pingTimeoutMs,
  })
  const calls: Calls = { unary: new Set(), streams: new Set() }
  for (const service of services) register(server, calls, service)
  // Bound under another name, so that the socket has its mode before anybody can find it.
  const bindPath = `${socketPath}~`
  await removeSocket(bindPath)
  await bind(server, bindPath)
  try {
    await chmod(bindPath, 0o660)
    if (process.getuid?.() === 0) await chown(bindPath, 0, 0)
    await rename(bindPath, socketPath)
  } catch (err) {
    server.forceShutdown()
    throw fileError(`cannot serve ${socketPath}`, err)
  }
  return {
    async stop() {
      await removeSocket(socketPath)
      await stopServer(server, calls, limits)
    },
  }
}

/** What is under way, for the stop. */
interface Calls {
  readonly unary: Set<Promise<unknown>>
  /** Each with its end; there until the client has the status. */
  readonly streams: Set<AbortController>
}

function register(server: grpc.Server, calls: Calls, service: Service): void {
  const definition: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {}
  const implementation: grpc.UntypedServiceImplementation = {}
  for (const method of service.methods) {
    definition[method.name] = {
      path: method.path,
      requestStream: false,
      responseStream: method.kind === 'stream',
      requestSerialize: sameBytes,
      requestDeserialize: sameBytes,
      responseSerialize: sameBytes,
      responseDeserialize: sameBytes,
    }
    implementation[method.name] =
      method.kind === 'stream' ? streamHandler(calls, method) : unaryHandler(calls, method)
  }
  server.addService(definition, implementation)
}

function unaryHandler(calls: Calls, method: UnaryMethod): grpc.handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const watched = watchCall(method.name, call)
    const answered = method.call(watched.abort.signal, call.request).then(outcome => {
      watched.settle()
      calls.unary.delete(answered)
      if ('reply' in outcome) callback(null, asBuffer(outcome.reply))
      else callback(outcome.failure)
    })
    calls.unary.add(answered)
  }
}

function streamHandler(calls: Calls, method: StreamMethod): grpc.handleServerStreamingCall<Buffer, Buffer> {
  return call => {
    const watched = watchCall(method.name, call)
    const { abort } = watched
    calls.streams.add(abort)
    // Said both when the client leaves and when it has taken the last byte.
    call.once('cancelled', () => {
      calls.streams.delete(abort)
    })
    const sink = {
      open() {
        call.sendMetadata(new grpc.Metadata())
      },
      send: (message: Uint8Array) => write(call, abort.signal, asBuffer(message)),
    }
    void method.run(abort.signal, call.request, sink).then(failure => {
      watched.settle()
      if (failure) call.emit('error', failure)
      else call.end()
    })
  }
}

type Stream = grpc.ServerWritableStream<Buffer, Buffer>

/** Resolves when the transport takes more; it never tells when the call is gone, so the signal does. */
async function write(call: Stream, signal: AbortSignal, message: Buffer): Promise<void> {
  if (signal.aborted) throw abortError(signal)
  if (call.write(message)) return
  await once(call, 'drain', { signal })
}

type Call = grpc.ServerUnaryCall<Buffer, Buffer> | Stream

interface WatchedCall {
  /** Aborts when the client leaves or its deadline passes before the call is answered. */
  readonly abort: AbortController
  /** The call is about to be answered. */
  settle(): void
}

function watchCall(name: string, call: Call): WatchedCall {
  const abort = new AbortController()
  const onCancelled = () => {
    const isLate = Date.now() >= Number(call.getDeadline())
    abort.abort(
      isLate
        ? new RuntimeError('deadline-exceeded', `the deadline of ${name} has passed`)
        : new RuntimeError('cancelled', `the client cancelled ${name}`),
    )
  }
  call.once('cancelled', onCancelled)
  if (call.cancelled) onCancelled()
  return {
    abort,
    settle() {
      // The transport says "cancelled" also when an answered call is closed; work that goes on must not hear it.
      call.removeListener('cancelled', onCancelled)
    },
  }
}

function sameBytes(bytes: Buffer): Buffer {
  return bytes
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function bind(server: grpc.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), err => {
      if (err)
        reject(new RuntimeError('internal', `cannot listen on ${path}: ${err.message}`, { cause: err }))
      else resolve()
    })
  })
}

/** Streams end at once, as unavailable; running calls get their time. */
async function stopServer(server: grpc.Server, calls: Calls, limits: ServerLimits): Promise<void> {
  const closed = new Promise<void>(resolve => {
    server.tryShutdown(() => {
      resolve()
    })
  })
  const reason = new RuntimeError('unavailable', 'lighterd is stopping')
  for (const stream of calls.streams) stream.abort(reason)
  const patience = delay(limits.stopGraceMs, undefined, { ref: false })
  await Promise.race([closed, patience, onlyDeafStreams(calls, limits.streamGraceMs, closed)])
  server.forceShutdown()
}

/** Resolves when nothing is under way but streams whose clients do not read, and so cannot be told of the end. */
async function onlyDeafStreams(calls: Calls, graceMs: number, closed: Promise<void>): Promise<void> {
  await Promise.all(calls.unary)
  await delay(graceMs, undefined, { ref: false })
  if (calls.streams.size === 0) await closed
}

async function refuseIfServed(path: string): Promise<void> {
  const isServed = await new Promise<boolean>((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', err => {
      const errno = errnoOf(err)
      if (errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTSOCK') resolve(false)
      else reject(new RuntimeError('internal', `cannot look at ${path}: ${messageOf(err)}`, { cause: err }))
    })
  })
  if (isServed) {
    throw new RuntimeError('failed-precondition', `${path} is served by another process: stop it first`)
  }
  await refuseIfNotSocket(path)
}

async function refuseIfNotSocket(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isSocket()) return
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return
    throw fileError(`cannot look at ${path}`, err)
  }
  throw new RuntimeError('failed-precondition', `${path} is in the way: it is not a socket`)
}

async function removeSocket(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (err) {
    if (errnoOf(err) !== 'ENOENT') throw fileError(`cannot remove ${path}`, err)
  }
}
