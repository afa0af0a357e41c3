import { chmod, mkdir, unlink } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'

export interface Listener {
  /** Takes no more plugins and removes the socket; those that are here stay. */
  close(): Promise<void>
  /** Ends every connection, also of plugins that are still joining. */
  disconnect(): void
}

export interface ListenerInput {
  readonly path: string
  /** The socket is the callee's, also when it fails. */
  readonly onSocket: (socket: Socket) => Promise<void>
  readonly log: Log
}

/** Plugins that are registering and synchronizing; more are turned away. */
const joiningAtOnce = 16

/** Waits for plugins on a unix socket that only root may use. Errors: `failed-precondition` when it cannot be made. */
export async function listenForPlugins({ path, onSocket, log }: ListenerInput): Promise<Listener> {
  let joining = 0
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (joining >= joiningAtOnce) {
      log.warn({ joining }, 'too many NRI plugins at once: one is turned away')
      socket.destroy()
      return
    }
    joining++
    onSocket(socket)
      .catch((err: unknown) => {
        log.warn({ err: messageOf(err) }, 'a plugin cannot join')
      })
      .finally(() => {
        joining--
      })
  })
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await removeSocket(path)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
    await chmod(path, 0o600)
  } catch (err) {
    server.close()
    throw new RuntimeError(
      'failed-precondition',
      `cannot listen for NRI plugins on ${path}: ${messageOf(err)}`,
      {
        cause: err,
      },
    )
  }
  server.on('error', err => {
    log.error({ path, err: err.message }, 'the socket for NRI plugins is broken')
  })
  return {
    async close() {
      server.close()
      await removeSocket(path)
    },
    disconnect() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Never a directory, whatever the configuration says. */
async function removeSocket(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (err) {
    if (errnoOf(err) !== 'ENOENT') throw err
  }
}
