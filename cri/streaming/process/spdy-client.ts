import type { Duplex } from 'node:stream'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { aborted } from '../aborted.ts'
import type { ProcessRequest } from '../request.ts'
import { openSpdyConnection } from '../spdy/connection.ts'
import { encodeOutcome, type Outcome, type ProtocolVersion } from './outcome.ts'
import type { ProcessClient } from './process-client.ts'

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize'

const streamTypes: readonly string[] = ['error', 'stdin', 'stdout', 'stderr', 'resize'] satisfies StreamType[]

export interface SpdyProcessInput {
  readonly transport: Duplex
  readonly request: ProcessRequest
  readonly version: ProtocolVersion
  /** For the client to open its streams. */
  readonly streamCreationTimeoutMs: number
}

/**
 * A client that speaks SPDY, when it has opened all its streams. Errors, after the connection is closed:
 * `deadline-exceeded` when they do not come, `cancelled` when the client is gone.
 */
export async function acceptSpdyProcess(ctx: Ctx, input: SpdyProcessInput): Promise<ProcessClient> {
  const { transport, request, version, streamCreationTimeoutMs } = input
  const missing = expectedStreams(request, version)
  const channels = new Map<string, Duplex>()
  let allOpened: () => void = () => undefined
  const opened = new Promise<void>(resolve => {
    allOpened = resolve
  })
  const connection = openSpdyConnection({
    transport,
    log: ctx.log,
    onStream({ headers, channel }) {
      const type = headers.get('streamtype') ?? ''
      if (!streamTypes.includes(type)) return `streamType "${type}" is not known`
      if (channels.has(type)) return `there is a ${type} stream already`
      channels.set(type, channel)
      missing.delete(type)
      if (missing.size === 0) allOpened()
      return undefined
    },
  })
  const finish = async (outcome: Outcome) => {
    const status = encodeOutcome(outcome, version)
    const error = channels.get('error')
    if (status.length > 0) error?.write(status)
    await Promise.race([Promise.all([...channels.values()].map(ended)), aborted(connection.gone)])
    await connection.finish()
  }
  const late = setTimeout(() => {
    allOpened()
  }, streamCreationTimeoutMs)
  await Promise.race([opened, aborted(connection.gone), aborted(ctx.signal)])
  clearTimeout(late)
  if (missing.size > 0) {
    const failure = failureToOpen(ctx, connection.gone, [...missing])
    await finish({ failure })
    throw failure
  }
  return {
    stdin: request.hasStdin ? channels.get('stdin') : undefined,
    stdout: request.hasStdout ? channels.get('stdout') : undefined,
    stderr: request.hasStderr ? channels.get('stderr') : undefined,
    resize: request.hasTty ? channels.get('resize') : undefined,
    gone: connection.gone,
    finish,
  }
}

function expectedStreams(request: ProcessRequest, version: ProtocolVersion): Set<string> {
  const { hasStdin, hasStdout, hasStderr, hasTty } = request
  const types: [StreamType, boolean][] = [
    ['error', true],
    ['stdin', hasStdin],
    ['stdout', hasStdout],
    ['stderr', hasStderr],
    ['resize', hasTty && version >= 3],
  ]
  return new Set(types.filter(([, isExpected]) => isExpected).map(([type]) => type))
}

function failureToOpen(ctx: Ctx, gone: AbortSignal, missing: readonly string[]): unknown {
  if (gone.aborted) return new RuntimeError('cancelled', 'the client is gone')
  if (ctx.signal.aborted) return ctx.signal.reason
  return new RuntimeError(
    'deadline-exceeded',
    `the client did not open its streams in time: ${missing.join(', ')}`,
  )
}

function ended(channel: Duplex): Promise<void> {
  return new Promise(resolve => {
    if (channel.destroyed) resolve()
    else
      channel.end(() => {
        resolve()
      })
  })
}
