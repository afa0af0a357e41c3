import Long from 'long'
import { RuntimeError } from '#base/errors'
import { rpc } from '#nri-proto'
import { errorOf } from './status.ts'
import { encodeFrame, type Frame, frameTypes } from './ttrpc-frame.ts'

interface OpenCall {
  readonly resolve: (payload: Uint8Array) => void
  readonly reject: (err: RuntimeError) => void
}

/** The client's half of ttrpc: calls with one answer each. */
export interface Caller {
  /** Errors: what the other side answers; `deadline-exceeded`, after which `onLate` was called. */
  call(method: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>
  onFrame(frame: Frame): void
  /** Fails every open call with `unavailable`. */
  end(reason: RuntimeError): void
}

export interface CallerDeps {
  readonly service: string
  readonly send: (frame: Buffer) => void
  readonly onLate: (err: RuntimeError) => void
}

export function createCaller({ service, send, onLate }: CallerDeps): Caller {
  const calls = new Map<number, OpenCall>()
  let nextStreamId = 1 // odd, as those of all clients

  return {
    async call(method, payload, timeoutMs) {
      const streamId = nextStreamId
      const timeoutNano = Long.fromNumber(timeoutMs).multiply(1_000_000)
      const request = rpc.Request.encode({ service, method, payload, timeoutNano }).finish()
      const frame = encodeFrame({ streamId, type: frameTypes.request, payload: request })
      nextStreamId += 2
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          calls.delete(streamId)
          const err = new RuntimeError(
            'deadline-exceeded',
            `${method} was not answered within ${timeoutMs} ms`,
          )
          reject(err)
          onLate(err)
        }, timeoutMs)
        calls.set(streamId, {
          resolve: data => {
            clearTimeout(timer)
            resolve(data)
          },
          reject: err => {
            clearTimeout(timer)
            reject(err)
          },
        })
        send(frame)
      })
    },
    onFrame({ streamId, type, payload }) {
      const call = calls.get(streamId)
      if (!call || type !== frameTypes.response) return
      const { status, payload: data } = rpc.Response.decode(payload)
      calls.delete(streamId)
      const err = errorOf(status)
      if (err) call.reject(err)
      else call.resolve(data)
    },
    end(reason) {
      for (const call of calls.values()) call.reject(new RuntimeError('unavailable', reason.message))
      calls.clear()
    },
  }
}
