import { RuntimeError } from '#base/errors'
import { createDeferred } from './deferred.ts'
import type { FrameConnection } from './frame-connection.ts'
import { type Frame, fieldBigint, fieldNumber, fieldText, frameTypes, tags } from './protocol.ts'
import type { ShimState, ShimWatch } from './shim.ts'
import { errorOf } from './shim-requests.ts'

/** Follows the STATE frames of a connection that has asked for them; takes the connection over. */
export function followShim(connection: FrameConnection, socketPath: string): ShimWatch {
  const started = createDeferred<ShimState>()
  const ended = createDeferred<ShimState | undefined>()
  started.promise.catch(() => undefined)

  async function follow(): Promise<void> {
    for (let frame = await connection.receive(); frame; frame = await connection.receive()) {
      if (frame.type === frameTypes.error) throw errorOf(frame, 'unavailable')
      if (frame.type !== frameTypes.state) continue
      const state = stateOf(frame)
      if (state.kind === 'creating') continue
      started.resolve(state)
      if (state.kind !== 'running') ended.resolve(state)
    }
    throw new RuntimeError('unavailable', `the shim at ${socketPath} went away`)
  }

  const gone = follow().catch((err: unknown) => {
    connection.close()
    started.reject(err)
    ended.resolve(undefined)
  })
  return {
    started: started.promise,
    ended: ended.promise,
    gone,
    close() {
      connection.close()
    },
  }
}

function stateOf(frame: Frame): ShimState {
  const state = fieldNumber(frame, tags.state, -1)
  if (state === 0) return { kind: 'creating' }
  if (state === 1) return { kind: 'running', pid: fieldNumber(frame, tags.pid, 0) }
  if (state === 2) {
    const exit = {
      exitCode: fieldNumber(frame, tags.exitCode, 0),
      signal: fieldNumber(frame, tags.signal, 0),
      isOomKilled: fieldNumber(frame, tags.oom, 0) !== 0,
      finishedAtNs: fieldBigint(frame, tags.timeNs, 0n),
    }
    return { kind: 'exited', exit }
  }
  if (state === 3) return { kind: 'failed', message: fieldText(frame, tags.message) }
  throw new RuntimeError('data-loss', `a shim answered with state ${state}, which is unknown`)
}
