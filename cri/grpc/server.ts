import { chmod, chown, lstat, rename, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import grpc from '@grpc/grpc-js'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { fileError, makeDirectory } from '#base/files'
import type { WireMethod } from './handler.ts'

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
}

/** The kubelet receives up to 16 MiB; a busy node's list answers come near to it. */
export const defaultServerLimits: ServerLimits = {
  messageBytes: 64 * 1024 * 1024,
  concurrentCalls: 1024,
  stopGraceMs: 10_000,
}

export interface ServeInput {
  readonly socketPath: string
  readonly services: readonly Service[]
  readonly limits: ServerLimits
}

export interface RunningServer {
  /** Takes no new calls, lets the running ones end for a bounded time, removes the socket. */
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
  })
  for (const service of services) register(server, service)
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
      await stopServer(server, limits.stopGraceMs)
    },
  }
}

function register(server: grpc.Server, service: Service): void {
  const definition: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {}
  const implementation: grpc.UntypedServiceImplementation = {}
  for (const method of service.methods) {
    definition[method.name] = {
      path: method.path,
      requestStream: false,
      responseStream: method.isServerStream,
      requestSerialize: sameBytes,
      requestDeserialize: sameBytes,
      responseSerialize: sameBytes,
      responseDeserialize: sameBytes,
    }
    implementation[method.name] = method.isServerStream ? streamHandler(method) : unaryHandler(method)
  }
  server.addService(definition, implementation)
}

function unaryHandler(method: WireMethod): grpc.handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    void answer(method, call).then(outcome => {
      if ('reply' in outcome) callback(null, asBuffer(outcome.reply))
      else callback(outcome.failure)
    })
  }
}

/** One message and the end: streams of more come with the first RPC that has them. */
function streamHandler(method: WireMethod): grpc.handleServerStreamingCall<Buffer, Buffer> {
  return call => {
    void answer(method, call).then(outcome => {
      if ('reply' in outcome) call.end(asBuffer(outcome.reply))
      else call.emit('error', outcome.failure)
    })
  }
}

type Call = grpc.ServerUnaryCall<Buffer, Buffer> | grpc.ServerWritableStream<Buffer, Buffer>

async function answer(method: WireMethod, call: Call): ReturnType<WireMethod['call']> {
  const abort = new AbortController()
  const onCancelled = () => {
    const isLate = Date.now() >= Number(call.getDeadline())
    abort.abort(
      isLate
        ? new RuntimeError('deadline-exceeded', `the deadline of ${method.name} has passed`)
        : new RuntimeError('cancelled', `the client cancelled ${method.name}`),
    )
  }
  call.once('cancelled', onCancelled)
  if (call.cancelled) onCancelled()
  try {
    return await method.call(abort.signal, call.request)
  } finally {
    // The transport says "cancelled" also when an answered call is closed; work that goes on must not hear it.
    call.removeListener('cancelled', onCancelled)
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

function stopServer(server: grpc.Server, graceMs: number): Promise<void> {
  return new Promise(resolve => {
    const cut = setTimeout(() => {
      server.forceShutdown()
      resolve()
    }, graceMs)
    server.tryShutdown(() => {
      clearTimeout(cut)
      resolve()
    })
  })
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
