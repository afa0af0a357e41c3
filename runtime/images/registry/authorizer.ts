import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { createKeyedLock } from '#base/locks'
import { createJsonReader, parseJsonObject } from '../json.ts'
import { imageLimits } from '../limits.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import type { Credentials } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'
import type { HttpClient, HttpRequest } from './http.ts'
import { type RedirectRules, sendFollowing } from './redirects.ts'
import { statusError } from './status-error.ts'

/** Keeps the Authorization header for one repository at one endpoint. */
export interface Authorizer {
  /** The header to send; undefined as long as the endpoint has asked for none. */
  authorization(ctx: Ctx): Promise<string | undefined>
  /**
   * After a 401 to a request that was sent with `rejected`: gets what the endpoint asks for. Errors:
   * `unauthenticated` if there is nothing better to offer, and those of asking for a token.
   */
  challenge(ctx: Ctx, header: string, rejected: string | undefined): Promise<void>
}

export interface AuthorizerDeps {
  readonly endpoint: Endpoint
  readonly credentials: Credentials
  /** `library/busybox`. */
  readonly repository: string
  readonly client: HttpClient
  readonly rules: RedirectRules
  readonly clock: Clock
}

interface Token {
  readonly header: string
  readonly endsAtNs: bigint
}

const nsPerMs = 1_000_000n

export function createAuthorizer(deps: AuthorizerDeps): Authorizer {
  const { credentials, endpoint } = deps
  const lock = createKeyedLock()
  let fixed = credentials.type === 'bearer' ? `Bearer ${credentials.token}` : undefined
  let bearer: Challenge | undefined
  let token: Token | undefined

  const current = () => fixed ?? token?.header
  const refresh = async (ctx: Ctx, challenge: Challenge): Promise<void> => {
    token = await fetchToken(ctx, deps, challenge)
  }

  return {
    async authorization(ctx) {
      if (!token || !bearer || deps.clock.now() < token.endsAtNs) return current()
      const challenge = bearer
      await lock.run('token', async () => {
        if (token && deps.clock.now() >= token.endsAtNs) await refresh(ctx, challenge)
      })
      return current()
    },
    challenge: (ctx, header, rejected) =>
      lock.run('token', async () => {
        // Another request of this pull has been here meanwhile.
        if (current() !== rejected) return
        const challenges = parseChallenges(header)
        bearer = challenges.find(({ scheme }) => scheme === 'bearer')
        if (bearer && credentials.type !== 'bearer') {
          await refresh(ctx, bearer)
          return
        }
        const isBasic = challenges.some(({ scheme }) => scheme === 'basic')
        if (isBasic && credentials.type === 'password' && rejected === undefined) {
          fixed = basic(credentials)
          return
        }
        const given = credentials.type === 'none' ? 'needs credentials' : 'refuses the credentials'
        throw new RuntimeError('unauthenticated', `${endpoint.url.host} ${given} for ${deps.repository}`)
      }),
  }
}

/** Distribution project, "Token Authentication" and "OAuth2 Token Authentication". */
async function fetchToken(ctx: Ctx, deps: AuthorizerDeps, challenge: Challenge): Promise<Token> {
  const request = tokenRequest(deps, challenge)
  const { response } =
    request.method === 'POST'
      ? { response: await deps.client.send(ctx, request) }
      : await sendFollowing(ctx, deps, request)
  if (response.status !== 200) throw await statusError(response, `token for ${deps.repository}`)
  const what = `token answer of ${request.url.host}`
  const document = parseJsonObject(await response.read(imageLimits.tokenBytes), what)
  const reader = createJsonReader(what, imageLimits.configEntries)
  const text = reader.text(document, 'token') || reader.text(document, 'access_token')
  if (!/^[\x21-\x7e]+$/.test(text)) throw reader.fail('has no token')
  const seconds = reader.integer(document, 'expires_in') ?? 0
  const lifeMs = seconds > 0 ? seconds * 1000 : imageLimits.tokenDefaultMs
  const usableMs = Math.max(lifeMs - imageLimits.tokenMarginMs, lifeMs / 2)
  return { header: `Bearer ${text}`, endsAtNs: deps.clock.now() + BigInt(Math.floor(usableMs)) * nsPerMs }
}

function tokenRequest(deps: AuthorizerDeps, challenge: Challenge): HttpRequest {
  const { credentials, endpoint } = deps
  const url = realmOf(deps, challenge)
  const service = challenge.parameters.get('service')
  const scope = challenge.parameters.get('scope') ?? `repository:${deps.repository}:pull`
  const shared = { url, connectTimeoutMs: endpoint.connectTimeoutMs, tls: realmTls(endpoint, url) }
  if (credentials.type === 'identity') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'lighter',
      refresh_token: credentials.token,
      scope,
      ...(service === undefined ? {} : { service }),
    })
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return { ...shared, method: 'POST', headers, body: form.toString() }
  }
  if (service !== undefined) url.searchParams.set('service', service)
  for (const part of scope.split(' ')) if (part !== '') url.searchParams.append('scope', part)
  const headers: Record<string, string> = {}
  if (credentials.type === 'password') headers.authorization = basic(credentials)
  return { ...shared, method: 'GET', headers }
}

/** The registry names its token server; a secret goes there over TLS unless the registry itself goes without. */
function realmOf(deps: AuthorizerDeps, challenge: Challenge): URL {
  const { host, protocol } = deps.endpoint.url
  const text = challenge.parameters.get('realm') ?? ''
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new RuntimeError('registry-unavailable', `${host} names no token server`)
  }
  const isPlainAllowed = protocol === 'http:' || deps.rules.mayBePlain(url)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isPlainAllowed)) {
    throw new RuntimeError('permission-denied', `${host} wants credentials sent without TLS to ${url.host}`)
  }
  url.username = ''
  url.password = ''
  return url
}

function realmTls(endpoint: Endpoint, url: URL): Endpoint['tls'] {
  return url.origin === endpoint.url.origin ? endpoint.tls : { ...endpoint.tls, clients: [] }
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
