import { request } from 'node:https'

export interface HttpsAnswer {
  readonly status: number
  readonly body: string
}

const getTimeoutMs = 10_000

/** GET from a server whose certificate nobody knows. */
export async function insecureGet(url: string): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const options = { rejectUnauthorized: false, timeout: getTimeoutMs, agent: false } as const
    const sent = request(url, options, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
      })
    })
    sent.on('timeout', () => sent.destroy(new Error(`${url} does not answer`)))
    sent.on('error', reject)
    sent.end()
  })
}
