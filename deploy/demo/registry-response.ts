import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Fault } from './registry-faults.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** True: a Range header is honoured. */
  readonly hasRanges?: boolean
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Sends the answer, spoilt by the fault if there is one. Settles when the answer is on its way or broken off. */
export async function sendAnswer(
  exchange: Exchange,
  answer: Answer,
  fault: Fault | undefined,
): Promise<void> {
  const { response } = exchange
  if (fault?.type === 'never-answers') return
  const ranged = applyRange(exchange.request, fault ? spoil(answer, fault) : answer)
  const delta = fault?.type === 'wrong-length' ? fault.delta : 0
  response.writeHead(ranged.status, {
    ...ranged.headers,
    'Content-Length': String(Math.max(0, ranged.body.byteLength + delta)),
  })
  if (exchange.request.method === 'HEAD') {
    response.end()
    return
  }
  await sendBody(exchange, ranged.body, fault)
}

function spoil(answer: Answer, fault: Fault): Answer {
  switch (fault.type) {
    case 'status':
      return refusal(fault)
    case 'wrong-bytes': {
      const body = Buffer.from(answer.body)
      const last = body.byteLength - 1
      if (last >= 0) body[last] = (body[last] ?? 0) ^ 1
      return { ...answer, body }
    }
    case 'oversized':
      return { ...answer, body: Buffer.concat([answer.body, Buffer.alloc(fault.extraBytes, ' ')]) }
    case 'header':
      return { ...answer, headers: { ...answer.headers, [fault.name]: fault.value } }
    case 'slow':
    case 'cut':
    case 'wrong-length':
    case 'stalled':
    case 'never-answers':
      return answer
  }
}

function refusal(fault: { readonly status: number; readonly retryAfterSeconds?: number }): Answer {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' }
  if (fault.retryAfterSeconds !== undefined) headers['Retry-After'] = String(fault.retryAfterSeconds)
  const body = Buffer.from(JSON.stringify({ errors: [{ code: 'FAULT', message: 'an injected fault' }] }))
  return { status: fault.status, headers, body }
}

function applyRange(request: IncomingMessage, answer: Answer): Answer {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  if (!answer.hasRanges || answer.status !== 200 || !range?.[1]) return answer
  const size = answer.body.byteLength
  const first = Number(range[1])
  const last = range[2] ? Math.min(Number(range[2]), size - 1) : size - 1
  if (first > last) {
    const headers = { 'Content-Range': `bytes */${size}` }
    return { status: 416, headers, body: Buffer.alloc(0) }
  }
  const headers = { ...answer.headers, 'Content-Range': `bytes ${first}-${last}/${size}` }
  return { status: 206, headers, body: answer.body.subarray(first, last + 1) }
}

async function sendBody(exchange: Exchange, body: Buffer, fault: Fault | undefined): Promise<void> {
  const { response } = exchange
  if (fault?.type === 'stalled') response.flushHeaders()
  else if (fault?.type === 'slow') await sendSlowly(exchange, body, fault)
  else if (fault?.type === 'cut') response.write(body.subarray(0, fault.afterBytes), () => response.destroy())
  else if (fault?.type === 'wrong-length' && fault.delta > 0) response.write(body, () => response.destroy())
  else if (fault?.type === 'wrong-length')
    response.end(body.subarray(0, Math.max(0, body.byteLength + fault.delta)))
  else response.end(body)
}

async function sendSlowly(
  { request, response }: Exchange,
  body: Buffer,
  { pieceBytes, pauseMs }: { readonly pieceBytes: number; readonly pauseMs: number },
): Promise<void> {
  // The socket, not the response: a response whose connection broke before its first write is never destroyed.
  for (let sent = 0; sent < body.byteLength && !request.socket.destroyed; sent += pieceBytes) {
    response.write(body.subarray(sent, sent + pieceBytes))
    await delay(pauseMs)
  }
  response.end()
}
