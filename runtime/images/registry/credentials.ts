import { RuntimeError } from '#base/errors'
import type { RegistryAuth } from '../../model/image.ts'
import type { Endpoint } from './endpoints.ts'

/** What a client may prove itself with to one endpoint. */
export type Credentials =
  | { readonly type: 'none' }
  | { readonly type: 'password'; readonly username: string; readonly password: string }
  /** OAuth2 refresh token, to be traded for a bearer token. */
  | { readonly type: 'identity'; readonly token: string }
  /** Bearer token, to be sent as it is. */
  | { readonly type: 'bearer'; readonly token: string }

const hubNames = ['docker.io', 'index.docker.io', 'registry-1.docker.io']

/**
 * The credentials of a pull request for one endpoint: they go to the registry that the image is named after, or to
 * the host that their serverAddress names, and nowhere else. Errors: `invalid-argument`, without the secret.
 */
export function credentialsFor(
  auth: RegistryAuth | undefined,
  endpoint: Pick<Endpoint, 'url' | 'isRegistryItself'>,
  domain: string,
): Credentials {
  if (!auth || !isMeantFor(auth.serverAddress, endpoint, domain)) return { type: 'none' }
  if (auth.username !== '') return { type: 'password', username: auth.username, password: auth.password }
  if (auth.auth !== '') return decodeAuth(auth.auth)
  if (auth.identityToken !== '') return { type: 'identity', token: auth.identityToken }
  if (auth.registryToken !== '') return { type: 'bearer', token: auth.registryToken }
  return { type: 'none' }
}

function isMeantFor(
  serverAddress: string,
  endpoint: Pick<Endpoint, 'url' | 'isRegistryItself'>,
  domain: string,
): boolean {
  if (serverAddress === '') return endpoint.isRegistryItself
  const host = hostOf(serverAddress)
  if (host === endpoint.url.host) return true
  const isSameRegistry =
    host === domain.toLowerCase() || (hubNames.includes(host) && hubNames.includes(domain))
  return endpoint.isRegistryItself && isSameRegistry
}

/** `https://index.docker.io/v1/` is index.docker.io; the default port is no part of a name. */
function hostOf(serverAddress: string): string {
  try {
    return new URL(/^https?:\/\//.test(serverAddress) ? serverAddress : `https://${serverAddress}`).host
  } catch {
    throw new RuntimeError('invalid-argument', 'server address of the credentials is not an address')
  }
}

function decodeAuth(text: string): Credentials {
  const decoded = Buffer.from(text, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (!/^[A-Za-z0-9+/_=\s-]+$/.test(text) || colon < 0) {
    throw new RuntimeError('invalid-argument', 'auth of the credentials is not base64 of user:password')
  }
  const password = decoded.slice(colon + 1).replace(/\0+$/, '')
  return { type: 'password', username: decoded.slice(0, colon), password }
}
