import type { IncomingMessage } from 'node:http'
import type { Route } from './registry-route.ts'

/** What goes wrong with one answer. */
export type Fault =
  | { readonly type: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  /** The body comes in pieces of `pieceBytes`, `pauseMs` apart. */
  | { readonly type: 'slow'; readonly pieceBytes: number; readonly pauseMs: number }
  /** The connection breaks after so many bytes of the body. */
  | { readonly type: 'cut'; readonly afterBytes: number }
  /** One byte is not what the digest says; the size is right. */
  | { readonly type: 'wrong-bytes' }
  /** Content-Length is off by `delta`: of too much the rest never comes, to too little the body is cut. */
  | { readonly type: 'wrong-length'; readonly delta: number }
  /** So many more bytes (blanks) behind the body, and Content-Length says so. */
  | { readonly type: 'oversized'; readonly extraBytes: number }
  | { readonly type: 'header'; readonly name: string; readonly value: string }
  /** Headers come, the body does not. */
  | { readonly type: 'stalled' }
  | { readonly type: 'never-answers' }

type Asked = Pick<IncomingMessage, 'method' | 'url'>

export interface FaultRule {
  readonly kind: Route['kind']
  readonly fault: Fault
  /** Default: both. */
  readonly method?: 'GET' | 'HEAD'
  /** Only for paths that contain this text, such as a tag or a digest. */
  readonly pathPart?: string
  /** For this many requests; default: all. */
  readonly times?: number
}

export interface Faults {
  /** Rules that were added earlier win. */
  add(rule: FaultRule): void
  clear(): void
  /** The fault for a request, counted as used. */
  take(route: Route, request: Asked): Fault | undefined
}

export function createFaults(): Faults {
  let rules: { readonly rule: FaultRule; left: number }[] = []
  return {
    add(rule) {
      rules.push({ rule, left: rule.times ?? Infinity })
    },
    clear() {
      rules = []
    },
    take(route, request) {
      const found = rules.find(({ rule, left }) => left > 0 && applies(rule, { route, request }))
      if (!found) return undefined
      found.left--
      return found.rule.fault
    },
  }
}

function applies(
  rule: FaultRule,
  { route, request }: { readonly route: Route; readonly request: Asked },
): boolean {
  if (rule.kind !== route.kind) return false
  if (rule.method !== undefined && rule.method !== request.method) return false
  return rule.pathPart === undefined || (request.url ?? '').includes(rule.pathPart)
}
