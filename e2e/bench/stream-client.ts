import { once } from 'node:events'
import { WebSocket } from 'ws'

/** One exec, from the client's side. */
export interface ExecClient {
  /** To its standard input; settles when the socket takes more. */
  send(chunk: Buffer): Promise<void>
  /** Bytes of its standard output so far. */
  received(): number
  /** Settles when the command has ended and all output is there; rejects if it failed. */
  readonly ended: Promise<void>
}

/** Of remote command, version 4: the first byte of a message says which stream it belongs to. */
const channel = { stdin: 0, stdout: 1, status: 3 } as const
const protocol = 'v4.channel.k8s.io'

export async function openExec(url: string): Promise<ExecClient> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), [protocol], { perMessageDeflate: false })
  let bytes = 0
  let status = ''
  socket.on('message', (data: Buffer) => {
    if (data[0] === channel.stdout) bytes += data.length - 1
    if (data[0] === channel.status) status += data.subarray(1).toString()
  })
  const ended = new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => {
      if (status.includes('"Success"')) resolve()
      else reject(new Error(`the command failed: ${status === '' ? 'no status' : status}`))
    })
  })
  // The caller waits for it only after all input is sent.
  ended.catch(() => undefined)
  await Promise.race([once(socket, 'open'), ended])
  return {
    send(chunk) {
      const message = Buffer.concat([Buffer.of(channel.stdin), chunk])
      return new Promise((resolve, reject) => {
        socket.send(message, err => {
          if (err) reject(err)
          else resolve()
        })
      })
    },
    received: () => bytes,
    ended,
  }
}
