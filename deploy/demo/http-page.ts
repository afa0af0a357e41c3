import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf, RuntimeError } from '#base/errors'

const limits = { waitMs: 15_000, pollMs: 50, requestMs: 2_000, pageBytes: 1024 * 1024 } as const

/** The body at the URL, as soon as a server answers there with 200. Errors: `deadline-exceeded` after 15 s. */
export async function waitForPage(url: string): Promise<string> {
  const deadline = performance.now() + limits.waitMs
  for (;;) {
    try {
      return await getPage(url)
    } catch (err) {
      if (performance.now() > deadline) {
        throw new RuntimeError('deadline-exceeded', `${url} does not answer: ${messageOf(err)}`, {
          cause: err,
        })
      }
      await delay(limits.pollMs)
    }
  }
}

async function getPage(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, timeout: limits.requestMs }, response => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.byteLength
        if (size > limits.pageBytes) asked.destroy(new Error('the page is too large'))
        else chunks.push(chunk)
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString())
        else reject(new Error(`status ${String(response.statusCode)}`))
      })
      response.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', reject)
    asked.end()
  })
}
