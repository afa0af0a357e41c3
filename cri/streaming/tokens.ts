import { randomBytes } from 'node:crypto'
import { RuntimeError } from '#base/errors'
import { streamingLimits } from './limits.ts'
import type { StreamRequest } from './request.ts'

/** The secrets in URLs: each stands for one request, for one connection, for a minute. */
export interface Tokens {
  /** Errors: `resource-exhausted` when too many wait to be used. */
  issue(request: StreamRequest): string
  find(token: string): StreamRequest | undefined
  /** The request, once. */
  take(token: string): StreamRequest | undefined
}

const tokenBytes = 24

/** `nowMs` is a clock that nobody sets. */
export function createTokens(nowMs: () => number = () => performance.now()): Tokens {
  // In the order of their ends, since all live equally long.
  const pending = new Map<string, { readonly request: StreamRequest; readonly endsMs: number }>()
  const dropOld = () => {
    for (const [token, { endsMs }] of pending) {
      if (endsMs > nowMs()) return
      pending.delete(token)
    }
  }
  return {
    issue(request) {
      dropOld()
      if (pending.size >= streamingLimits.pendingUrls) {
        const most = streamingLimits.pendingUrls
        throw new RuntimeError(
          'resource-exhausted',
          `${most} streaming URLs wait to be used: use them, or wait a minute`,
        )
      }
      const token = randomBytes(tokenBytes).toString('base64url')
      pending.set(token, { request, endsMs: nowMs() + streamingLimits.urlTtlMs })
      return token
    },
    find(token) {
      dropOld()
      return pending.get(token)?.request
    },
    take(token) {
      dropOld()
      const request = pending.get(token)?.request
      pending.delete(token)
      return request
    },
  }
}
