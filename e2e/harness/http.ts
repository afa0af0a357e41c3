import { randomInt } from 'node:crypto'
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

/** Below the ports that the kernel hands out by itself (ip_local_port_range), so that nobody else gets it meanwhile. */
const portRange = { from: 20_000, to: 32_000 } as const

/** A TCP port of 127.0.0.1 on which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(portRange.from, portRange.to)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}
