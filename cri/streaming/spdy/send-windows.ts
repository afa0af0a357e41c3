import { defaultWindowBytes, maxWindowBytes, protocolError } from './frames.ts'

/**
 * How much the peer lets us send. Most peers of a runtime (Go's spdystream) know no flow control and never open a
 * window, so windows only bind after the peer has spoken of them.
 */
export interface SendWindows {
  /** Bytes of `wanted` that may be sent now, taken from the windows; 0: wait for an update. */
  take(streamId: number, wanted: number): number
  open(streamId: number): void
  close(streamId: number): void
  /** SETTINGS. Errors: `invalid-argument`. */
  setInitial(bytes: number): void
  /** WINDOW_UPDATE; stream 0 is the session. Errors: `invalid-argument`. */
  update(streamId: number, deltaBytes: number): void
  /** The peer speaks of windows: it waits for ours, too. */
  areUsed(): boolean
}

export function createSendWindows(): SendWindows {
  const streams = new Map<number, number>()
  let initialBytes = defaultWindowBytes
  let session = defaultWindowBytes
  let areUsed = false
  let isSessionUsed = false
  return {
    take(streamId, wanted) {
      const stream = streams.get(streamId) ?? 0
      const limit = Math.min(areUsed ? stream : wanted, isSessionUsed ? session : wanted)
      const taken = Math.max(0, Math.min(wanted, limit))
      streams.set(streamId, stream - taken)
      session -= taken
      return taken
    },
    open(streamId) {
      streams.set(streamId, initialBytes)
    },
    close(streamId) {
      streams.delete(streamId)
    },
    setInitial(bytes) {
      areUsed = true
      for (const [id, window] of streams) streams.set(id, checked(window + bytes - initialBytes))
      initialBytes = checked(bytes)
    },
    update(streamId, deltaBytes) {
      areUsed = true
      if (streamId === 0) {
        isSessionUsed = true
        session = checked(session + deltaBytes)
        return
      }
      const window = streams.get(streamId)
      if (window !== undefined) streams.set(streamId, checked(window + deltaBytes))
    },
    areUsed: () => areUsed,
  }
}

function checked(windowBytes: number): number {
  if (windowBytes > maxWindowBytes) throw protocolError('a flow control window of more than 2 GiB')
  return windowBytes
}
