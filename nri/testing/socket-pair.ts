import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Two ends of one unix stream connection. The caller destroys them. */
export async function socketPair(): Promise<readonly [Socket, Socket]> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-nri-'))
  const server = createServer()
  try {
    const path = join(directory, 's')
    await new Promise<void>(resolve => server.listen(path, resolve))
    const accepted = new Promise<Socket>(resolve => server.once('connection', resolve))
    return [connect(path), await accepted]
  } finally {
    server.close()
    await rm(directory, { recursive: true, force: true })
  }
}
