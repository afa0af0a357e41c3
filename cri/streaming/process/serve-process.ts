import type { Duplex } from 'node:stream'
import type { Ctx } from '#base/context'
import { messageOf } from '#base/errors'
import type { Session, SessionOperations } from '#engine/model/session'
import type { ProcessRequest } from '../request.ts'
import type { Outcome } from './outcome.ts'
import type { ProcessClient } from './process-client.ts'
import { readResizes } from './resizes.ts'

export interface ServeProcessInput {
  readonly sessions: SessionOperations
  readonly request: ProcessRequest
  readonly client: ProcessClient
}

/** Connects a client with a process until one of them ends, or ctx is aborted. Never rejects. */
export async function serveProcess(
  ctx: Ctx,
  { sessions, request, client }: ServeProcessInput,
): Promise<void> {
  const signal = AbortSignal.any([ctx.signal, client.gone])
  let outcome: Outcome
  try {
    outcome = await runSession({ signal, log: ctx.log }, { sessions, request, client })
  } catch (failure) {
    // An abort of ours has a reason that is worth telling; after the client's there is nobody to tell.
    outcome = { failure: ctx.signal.aborted ? ctx.signal.reason : failure }
    ctx.log.debug({ err: messageOf(failure) }, 'streaming session failed')
  }
  await client.finish(outcome)
}

async function runSession(ctx: Ctx, { sessions, request, client }: ServeProcessInput): Promise<Outcome> {
  const session = await openSession(ctx, sessions, request)
  const close = () => {
    session.close()
  }
  ctx.signal.addEventListener('abort', close, { once: true })
  try {
    ctx.signal.throwIfAborted()
    const input = [sendInput(session, client.stdin), sendResizes(session, client.resize)]
    for (const sending of input) sending.catch(ignoreEnd)
    const [{ exitCode }] = await Promise.all([session.exited, receiveOutput(session, client)])
    // An attach is over when the connection is: how the container ended is in its status.
    return { exitCode: request.kind === 'exec' ? exitCode : 0 }
  } finally {
    ctx.signal.removeEventListener('abort', close)
    session.close()
  }
}

function openSession(ctx: Ctx, sessions: SessionOperations, request: ProcessRequest): Promise<Session> {
  const { containerId, hasStdin, hasTty } = request
  if (request.kind === 'attach') return sessions.attach(ctx, { containerId, hasStdin })
  return sessions.exec(ctx, { containerId, hasStdin, hasTty, command: request.command })
}

async function receiveOutput(session: Session, client: ProcessClient): Promise<void> {
  for await (const { stream, data } of session.output) {
    const channel = stream === 'stdout' ? client.stdout : client.stderr
    // What nobody asked for, or wants to hear any more, must not stop the process.
    if (channel && !channel.destroyed) await written(channel, data)
  }
}

/** Resolves when there is room for more. A client that closed its end hears no more. */
function written(channel: Duplex, data: Buffer): Promise<void> {
  return new Promise(resolve => {
    channel.write(data, () => {
      resolve()
    })
  })
}

async function sendInput(session: Session, stdin: Duplex | undefined): Promise<void> {
  if (!stdin) return
  try {
    for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
      if (Buffer.isBuffer(chunk)) await session.write(chunk)
    }
  } finally {
    session.endInput()
  }
}

async function sendResizes(session: Session, resize: Duplex | undefined): Promise<void> {
  if (!resize) return
  for await (const size of readResizes(resize)) session.resize(size)
}

/** A channel that was reset is input that has ended. */
function ignoreEnd(): void {}
