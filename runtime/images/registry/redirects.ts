import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { imageLimits } from '../limits.ts'
import type { HttpClient, HttpRequest, HttpResponse } from './http.ts'

export interface RedirectRules {
  /** Whether an address may be reached without TLS although the first one was. */
  readonly mayBePlain: (url: URL) => boolean
}

/** The last answer; isForeign: it came from another origin than was asked. */
export interface FollowedResponse {
  readonly response: HttpResponse
  readonly isForeign: boolean
}

const redirectStatuses = [301, 302, 303, 307, 308]
/** What may go to another origin; Authorization, the operator's headers and client certificates may not. */
const harmlessHeaders = ['accept', 'range']

/** Sends a GET or HEAD and follows redirects. Errors: those of send, `registry-unavailable` for a bad redirect. */
export async function sendFollowing(
  ctx: Ctx,
  sending: { readonly client: HttpClient; readonly rules: RedirectRules },
  first: HttpRequest,
): Promise<FollowedResponse> {
  let request = first
  let isForeign = false
  for (let count = 0; count <= imageLimits.redirects; count++) {
    const response = await sending.client.send(ctx, request)
    if (!redirectStatuses.includes(response.status)) return { response, isForeign }
    response.discard()
    const url = targetOf(request.url, response.header('location'))
    if (url.protocol === 'http:' && request.url.protocol === 'https:' && !sending.rules.mayBePlain(url)) {
      throw badRedirect(first.url, `redirects from https to ${url.origin}`)
    }
    // Once away, always away: a way back would let a stranger steer a request with credentials.
    isForeign ||= url.origin !== first.url.origin
    request = isForeign ? foreignRequest(first, url) : { ...first, url }
  }
  throw badRedirect(first.url, `redirects more than ${String(imageLimits.redirects)} times`)
}

function foreignRequest(first: HttpRequest, url: URL): HttpRequest {
  const kept = Object.entries(first.headers).filter(([name]) => harmlessHeaders.includes(name))
  const tls = first.tls.clients.length > 0 ? { ...first.tls, clients: [] } : first.tls
  return { ...first, url, headers: Object.fromEntries(kept), tls }
}

function targetOf(from: URL, location: string | undefined): URL {
  try {
    const url = new URL(location ?? '', from)
    if (location !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')) {
      url.username = ''
      url.password = ''
      return url
    }
  } catch {
    // Not an address: said below.
  }
  throw badRedirect(from, 'redirects to nowhere')
}

function badRedirect(url: URL, problem: string): RuntimeError {
  return new RuntimeError('registry-unavailable', `${url.host} ${problem}`)
}
