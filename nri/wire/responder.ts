import { RuntimeError } from '#base/errors'
import { rpc } from '#nri-proto'
import { statusOf } from './status.ts'
import { encodeFrame, type Frame, frameTypes } from './ttrpc-frame.ts'

/** Requests of the other side that are being answered at once; more are refused. */
const requestsAtOnce = 16

export interface ResponderDeps {
  readonly service: string
  /** Answers one request. Errors become the status of the answer. */
  readonly serve: (method: string, payload: Uint8Array) => Promise<Uint8Array>
  readonly send: (frame: Buffer) => void
}

/** The server's half of ttrpc: takes frames, answers each request once. The promise fails when it cannot be sent. */
export function createResponder({ service, serve, send }: ResponderDeps): (frame: Frame) => Promise<void> {
  let running = 0

  async function respond(frame: Frame): Promise<rpc.Response.$Properties> {
    running++
    try {
      if (running > requestsAtOnce) {
        throw new RuntimeError('resource-exhausted', `more than ${requestsAtOnce} requests at once`)
      }
      const request = rpc.Request.decode(frame.payload)
      if (request.service !== service) {
        throw new RuntimeError('unimplemented', `service "${request.service}" is not known`)
      }
      return { payload: await serve(request.method, request.payload) }
    } catch (err) {
      return { status: statusOf(err) }
    } finally {
      running--
    }
  }

  return async frame => {
    if (frame.type !== frameTypes.request) return
    const payload = rpc.Response.encode(await respond(frame)).finish()
    send(encodeFrame({ streamId: frame.streamId, type: frameTypes.response, payload }))
  }
}
