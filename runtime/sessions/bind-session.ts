import type { Ctx } from '#base/context'
import { isKind } from '#base/errors'
import type { AttachSession } from '#shim/shim'
import type { Session } from '../model/session.ts'

/** A shim's session as the doors see it; it ends with the context. */
export function bindSession(ctx: Ctx, session: AttachSession): Session {
  const close = (): void => {
    session.close()
  }
  ctx.signal.addEventListener('abort', close, { once: true })
  if (ctx.signal.aborted) close()
  void session.exited
    .catch(() => undefined)
    .finally(() => {
      ctx.signal.removeEventListener('abort', close)
    })
  return {
    output: session.output,
    exited: session.exited,
    async write(data) {
      try {
        await session.write(data)
      } catch (err) {
        if (!isKind(err, 'unavailable')) throw err // it is over: nobody will ever read them
      }
    },
    endInput() {
      session.endInput()
    },
    resize({ rows, columns }) {
      session.resize(rows, columns)
    },
    close,
  }
}
