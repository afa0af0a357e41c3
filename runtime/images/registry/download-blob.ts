import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import { digestOf } from '../content/blobs.ts'
import type { Ingest } from '../content/ingest.ts'
import { imageLimits } from '../limits.ts'
import type { Descriptor } from '../manifest.ts'
import type { HttpResponse } from './http.ts'
import type { Ask, Peer } from './session.ts'
import { statusError } from './status-error.ts'

export interface BlobQuestion {
  readonly ask: Ask
  readonly peer: Peer
  readonly descriptor: Descriptor
}

/**
 * Streams one blob from one endpoint into the ingest and commits it. What a former attempt wrote is continued with
 * a range request; a connection that is cut after it brought something is continued at once, a bounded number of
 * times. Errors: `unavailable` if it was cut, `data-loss` if size or digest are wrong: then the ingest is empty again.
 */
export async function downloadBlob(ctx: Ctx, question: BlobQuestion, ingest: Ingest): Promise<void> {
  const isContinued = ingest.written > 0
  try {
    for (let resumed = 0; ; resumed++) {
      const before = ingest.written
      try {
        await transfer(ctx, question, ingest)
        break
      } catch (err) {
        const mayGoOn = isKind(err, 'unavailable') && !ctx.signal.aborted
        if (!mayGoOn || ingest.written <= before || resumed >= imageLimits.resumes) throw err
      }
    }
    await ingest.commit()
  } catch (err) {
    if (!isKind(err, 'data-loss')) throw err
    await ingest.restart()
    if (!isContinued) throw err
    // What another endpoint sent may have been the wrong part.
    await downloadBlob(ctx, question, ingest)
  }
}

/** The whole blob in memory. Errors: as downloadBlob. */
export async function readSmallBlob(ctx: Ctx, { ask, peer, descriptor }: BlobQuestion): Promise<Buffer> {
  const path = `blobs/${descriptor.digest}`
  const response = await ask(ctx, peer, { method: 'GET', path, headers: {} })
  if (response.status !== 200) throw await statusError(response, `blob ${descriptor.digest}`)
  checkLength(response, descriptor, 0)
  const bytes = await response.read(descriptor.size).catch((err: unknown) => {
    if (!isKind(err, 'resource-exhausted')) throw err
    throw new RuntimeError('data-loss', `blob ${descriptor.digest}: ${err.message}`)
  })
  const got = digestOf(bytes)
  if (got === descriptor.digest && bytes.byteLength === descriptor.size) return bytes
  throw new RuntimeError('data-loss', `blob ${descriptor.digest} has the digest ${got}`)
}

async function transfer(ctx: Ctx, { ask, peer, descriptor }: BlobQuestion, ingest: Ingest): Promise<void> {
  if (descriptor.size === ingest.written && descriptor.size > 0) return
  const headers: Record<string, string> =
    ingest.written > 0 ? { range: `bytes=${String(ingest.written)}-` } : {}
  const path = `blobs/${descriptor.digest}`
  const response = await ask(ctx, peer, { method: 'GET', path, headers })
  if (response.status !== 200 && response.status !== 206) {
    throw await statusError(response, `blob ${descriptor.digest}`)
  }
  if (!continues(response, ingest.written)) await ingest.restart()
  checkLength(response, descriptor, ingest.written)
  for await (const chunk of response.chunks()) await ingest.write(chunk)
}

function continues(response: HttpResponse, written: number): boolean {
  if (response.status === 200) return written === 0
  const start = /^bytes ([0-9]+)-/.exec(response.header('content-range') ?? '')?.[1]
  if (start !== undefined && Number(start) === written) return true
  response.discard()
  throw new RuntimeError('data-loss', `${response.url.host} answers with another range than was asked for`)
}

function checkLength(response: HttpResponse, descriptor: Descriptor, written: number): void {
  const length = response.header('content-length')
  if (length === undefined || Number(length) === descriptor.size - written) return
  response.discard()
  throw new RuntimeError(
    'data-loss',
    `${response.url.host} has ${length} bytes for blob ${descriptor.digest}, not ${String(descriptor.size)}`,
  )
}
