import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Answer } from './registry-response.ts'
import type { Route } from './registry-route.ts'

export type RegistryAuthOptions =
  | { readonly type: 'basic'; readonly username: string; readonly password: string }
  | {
      readonly type: 'bearer'
      /** Without user name everybody gets a token. */
      readonly username?: string
      readonly password?: string
      /** Exchanged for a token by POST (OAuth2, grant_type=refresh_token). */
      readonly identityToken?: string
      /** Default: 300. */
      readonly lifeSeconds?: number
    }

/** Who may pull what. */
export interface Access {
  /** Answers the refusal, or undefined if the request may pass. */
  check(request: IncomingMessage, asked: { readonly route: Route; readonly host: string }): Answer | undefined
  /** The token endpoint. */
  issue(request: IncomingMessage, route: { readonly query: URLSearchParams }): Promise<Answer>
}

const service = 'lighter-demo'
const defaultLifeSeconds = 300
const formBytesMax = 64 * 1024

interface Token {
  readonly scopes: ReadonlySet<string>
  readonly expiresAtMs: number
}

export function createTokens(auth: RegistryAuthOptions | undefined, now: () => number): Access {
  const tokens = new Map<string, Token>()
  return {
    check(request, { route, host }) {
      const given = request.headers.authorization ?? ''
      if (auth === undefined) return undefined
      if (auth.type === 'basic') {
        if (given === basic(auth.username, auth.password)) return undefined
        return unauthorized('Basic realm="lighter demo"')
      }
      const scope = route.name === '' ? '' : `repository:${route.name}:pull`
      const token = given.startsWith('Bearer ') ? tokens.get(given.slice('Bearer '.length)) : undefined
      if (token && token.expiresAtMs > now() && (scope === '' || token.scopes.has(scope))) return undefined
      const wanted = scope === '' ? '' : `,scope="${scope}"`
      return unauthorized(`Bearer realm="http://${host}/token",service="${service}"${wanted}`)
    },
    async issue(request, { query }) {
      if (auth?.type !== 'bearer') return json(404, { details: 'no token is needed' })
      const form = request.method === 'POST' ? await readForm(request) : undefined
      const isKnown = form ? mayGrant(form, auth) : mayHave(request, auth)
      if (!isKnown) return unauthorized('Basic realm="lighter demo"')
      const scopes = (form ?? query).getAll('scope').flatMap(scope => scope.split(' '))
      const token = randomBytes(16).toString('hex')
      const lifeSeconds = auth.lifeSeconds ?? defaultLifeSeconds
      tokens.set(token, {
        scopes: new Set(scopes.flatMap(pullScope)),
        expiresAtMs: now() + lifeSeconds * 1000,
      })
      return json(200, { token, access_token: token, expires_in: lifeSeconds })
    },
  }
}

type Bearer = Extract<RegistryAuthOptions, { readonly type: 'bearer' }>

function mayHave(request: IncomingMessage, auth: Bearer): boolean {
  if (auth.username === undefined) return true
  return request.headers.authorization === basic(auth.username, auth.password ?? '')
}

function mayGrant(form: URLSearchParams, auth: Bearer): boolean {
  if (form.get('grant_type') === 'refresh_token') {
    return auth.identityToken !== undefined && form.get('refresh_token') === auth.identityToken
  }
  if (form.get('grant_type') !== 'password' || auth.username === undefined) return false
  return form.get('username') === auth.username && form.get('password') === (auth.password ?? '')
}

/** `repository:NAME:pull,push` gives the right to pull only. */
function pullScope(scope: string): readonly string[] {
  const match = /^(repository:.+):([^:]*)$/.exec(scope)
  return match?.[1] && match[2]?.split(',').includes('pull') ? [`${match[1]}:pull`] : []
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength
    if (size > formBytesMax) break
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString())
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function unauthorized(challenge: string): Answer {
  const answer = json(401, { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] })
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': challenge } }
}

function json(status: number, value: unknown): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
  }
}
