import type { IncomingMessage } from 'node:http'

/** What a request is about. `reference` is a tag or a digest. */
export type Route =
  | { readonly kind: 'ping' | 'unknown'; readonly name: '' }
  | { readonly kind: 'token'; readonly name: ''; readonly query: URLSearchParams }
  | { readonly kind: 'tags'; readonly name: string }
  | { readonly kind: 'manifest' | 'blob'; readonly name: string; readonly reference: string }

export function parseRoute(request: IncomingMessage): Route {
  const url = new URL(request.url ?? '/', 'http://registry.invalid')
  if (url.pathname === '/v2/' || url.pathname === '/v2') return { kind: 'ping', name: '' }
  if (url.pathname === '/token') return { kind: 'token', name: '', query: url.searchParams }
  const tags = /^\/v2\/(.+)\/tags\/list$/.exec(url.pathname)
  if (tags?.[1] !== undefined) return { kind: 'tags', name: tags[1] }
  const content = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname)
  if (!content?.[1] || !content[3]) return { kind: 'unknown', name: '' }
  return {
    kind: content[2] === 'blobs' ? 'blob' : 'manifest',
    name: content[1],
    reference: decodeURIComponent(content[3]),
  }
}
