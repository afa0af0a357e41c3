import type { Duplex } from 'node:stream'
import { createWebSocketStream } from 'ws'
import type { Ctx } from '#base/context'
import { messageOf } from '#base/errors'
import type { SessionOperations } from '#engine/model/session'
import { serveSpdyForward } from './forward/spdy-forward.ts'
import { serveWebSocketForward } from './forward/websocket-forward.ts'
import type { ProcessClient } from './process/process-client.ts'
import { serveProcess } from './process/serve-process.ts'
import { acceptSpdyProcess } from './process/spdy-client.ts'
import { acceptWebSocketProcess } from './process/websocket-client.ts'
import type { ForwardRequest, ProcessRequest } from './request.ts'
import type { Upgraded } from './upgrade.ts'

export type Connection = Upgraded & {
  readonly sessions: SessionOperations
  readonly config: { readonly streamCreationTimeoutMs: number }
}

/** Serves a connection until it is closed. Never rejects. */
export async function serveConnection(ctx: Ctx, connection: Connection): Promise<void> {
  const { request, agreement } = connection
  const log = ctx.log.child({ ...subjectOf(request), kind: request.kind, protocol: agreement.name })
  log.debug({}, 'streaming session begins')
  try {
    const session: Ctx = { signal: ctx.signal, log }
    if (request.kind === 'portforward') await serveForward(session, connection, request)
    else await serveRemoteProcess(session, connection, request)
    log.debug({}, 'streaming session ended')
  } catch (err) {
    log.debug({ err: messageOf(err) }, 'streaming session failed')
  }
}

function subjectOf(request: ProcessRequest | ForwardRequest): { readonly [key: string]: string } {
  return request.kind === 'portforward' ? { podId: request.podId } : { containerId: request.containerId }
}

async function serveRemoteProcess(ctx: Ctx, connection: Connection, request: ProcessRequest): Promise<void> {
  const client = await acceptProcess(ctx, connection, request)
  await serveProcess(ctx, { sessions: connection.sessions, request, client })
}

function acceptProcess(
  ctx: Ctx,
  connection: Connection,
  request: ProcessRequest,
): Promise<ProcessClient> | ProcessClient {
  const { agreement, config } = connection
  const { version } = agreement
  if (agreement.framing === 'channels' && 'socket' in connection) {
    const { socket } = connection
    return acceptWebSocketProcess({ socket, request, version, protocol: agreement.protocol, log: ctx.log })
  }
  const { streamCreationTimeoutMs } = config
  return acceptSpdyProcess(ctx, {
    transport: transportOf(connection),
    request,
    version,
    streamCreationTimeoutMs,
  })
}

async function serveForward(ctx: Ctx, connection: Connection, request: ForwardRequest): Promise<void> {
  const { agreement, sessions, config } = connection
  if (agreement.framing === 'channels' && 'socket' in connection) {
    const { socket } = connection
    await serveWebSocketForward(ctx, { socket, protocol: agreement.protocol, sessions, request })
    return
  }
  const { streamCreationTimeoutMs } = config
  await serveSpdyForward(ctx, {
    transport: transportOf(connection),
    sessions,
    request,
    streamCreationTimeoutMs,
  })
}

/** SPDY runs on the socket, or inside the messages of a WebSocket. */
function transportOf(connection: Connection): Duplex {
  return 'transport' in connection ? connection.transport : createWebSocketStream(connection.socket)
}
