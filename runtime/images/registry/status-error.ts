import { type ErrorKind, RuntimeError } from '#base/errors'
import { imageLimits } from '../limits.ts'
import type { HttpResponse } from './http.ts'

/** What a refused request means; reads the registry's own words from the body. */
export async function statusError(response: HttpResponse, what: string): Promise<RuntimeError> {
  const words = await readWords(response)
  const text = `${response.url.host} answers ${String(response.status)} for ${what}`
  return new RuntimeError(kindOfStatus(response.status), words === '' ? text : `${text}: ${words}`)
}

/** `unavailable` may pass when tried again. */
function kindOfStatus(status: number): ErrorKind {
  if (status === 404) return 'not-found'
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'permission-denied'
  if (status === 408 || status === 429 || status >= 500) return 'unavailable'
  return 'registry-unavailable'
}

async function readWords(response: HttpResponse): Promise<string> {
  try {
    const body = (await response.read(imageLimits.errorBodyBytes)).toString('utf8')
    const words = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1] ?? body
    // Text of a stranger goes into logs and terminals.
    return words
      .replace(/[^\x20-\x7e]+/g, ' ')
      .trim()
      .slice(0, imageLimits.errorTextLength)
  } catch {
    response.discard()
    return ''
  }
}
