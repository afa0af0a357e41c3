import { request } from 'node:http'
import { createServer } from 'node:net'

const getTimeoutMs = 3_000

/** Body of the answer to a GET; anything but 200 is an error. */
export async function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { timeout: getTimeoutMs, agent: false }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(chunks).toString())
        else reject(new Error(`${url} answered ${String(answer.statusCode)}`))
      })
    })
    sent.on('timeout', () => sent.destroy(new Error(`${url} does not answer`)))
    sent.on('error', reject)
    sent.end()
  })
}

/** A TCP port on which nobody listens right now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise<void>(resolve => {
    server.close(() => {
      resolve()
    })
  })
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
