import { createHash } from 'node:crypto'
import { connect as connectSocket, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Ctx, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { AttachInput, ExecInput, Session, SessionOperations, TerminalSize } from '#engine/model/session'

export interface FakeSessions extends SessionOperations {
  readonly opened: FakeSession[]
  /** Ports of pods: what a connection is joined with. A port that is not there refuses. */
  readonly ports: Map<number, () => Duplex | Promise<Duplex>>
}

export interface FakeSession extends Session {
  readonly input: ExecInput | AttachInput
  readonly sizes: TerminalSize[]
  /** Bytes that the process has written. */
  readonly written: () => number
  readonly isClosed: () => boolean
}

/**
 * Processes in memory. Commands: `cat` copies its input; `exit N`; `flood BYTES` writes a pattern, half of it on each
 * output if a second argument says so; `digest` answers the SHA-256 of its input; `deaf` never reads; `sizes N` answers
 * N sizes of its terminal; `sleep` does nothing; `early TEXT` writes and exits without reading. Attach is a `cat`.
 */
export function fakeSessions(): FakeSessions {
  const opened: FakeSession[] = []
  const ports: FakeSessions['ports'] = new Map()
  const open = (ctx: Ctx, input: ExecInput | AttachInput): Promise<Session> => {
    throwIfAborted(ctx)
    const session = openSession(ctx, input)
    opened.push(session)
    return Promise.resolve(session)
  }
  return {
    opened,
    ports,
    exec(ctx, input) {
      if (input.command[0] === 'missing') {
        const why = `exec in container ${input.containerId}: "missing": executable file not found in $PATH`
        return Promise.reject(new RuntimeError('failed-precondition', why))
      }
      return open(ctx, input)
    },
    attach: open,
    async forward(_ctx, { podId, port }) {
      const target = await ports.get(port)?.()
      if (!target) {
        throw new RuntimeError(
          'failed-precondition',
          `nothing listens on port ${port} of pod sandbox ${podId}`,
        )
      }
      return target
    },
  }
}

/** Queues of one process. */
interface Process {
  /** Input; undefined at its end. */
  read(): Promise<Buffer | undefined>
  write(stream: 'stdout' | 'stderr', data: Buffer): Promise<void>
  nextSize(): Promise<TerminalSize>
  readonly killed: Promise<void>
  readonly arguments: readonly string[]
}

function openSession(ctx: Ctx, input: ExecInput | AttachInput): FakeSession {
  const stdin = new Handover<Buffer>()
  const output = new Handover<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>()
  const sizeQueue = new Handover<TerminalSize>()
  const sizes: TerminalSize[] = []
  let written = 0
  let kill: () => void = () => undefined
  let isClosed = false
  const killed = new Promise<void>(resolve => {
    kill = resolve
  })
  const close = () => {
    isClosed = true
    kill()
    for (const queue of [stdin, output, sizeQueue]) queue.end()
  }
  ctx.signal.addEventListener('abort', close, { once: true })
  const process: Process = {
    read: () => stdin.take(),
    async write(stream, data) {
      written += data.length
      await output.give({ stream, data })
    },
    async nextSize() {
      return (await sizeQueue.take()) ?? { rows: 0, columns: 0 }
    },
    killed,
    arguments: 'command' in input ? input.command : ['cat'],
  }
  const exited = run(process).then(exitCode => {
    output.end()
    stdin.end()
    if (isClosed) throw new RuntimeError('unavailable', 'the session was closed')
    return { exitCode }
  })
  exited.catch(() => undefined)
  return {
    input,
    sizes,
    written: () => written,
    isClosed: () => isClosed,
    output: output.items(),
    exited,
    write: data => stdin.give(Buffer.from(data)),
    endInput: () => {
      stdin.end()
    },
    resize(size) {
      sizes.push(size)
      void sizeQueue.give(size)
    },
    close,
  }
}

async function run(process: Process): Promise<number> {
  const [name = '', argument = '', option] = process.arguments
  switch (name) {
    case 'cat':
      for (let chunk = await process.read(); chunk; chunk = await process.read())
        await process.write('stdout', chunk)
      return 0
    case 'digest': {
      const hash = createHash('sha256')
      for (let chunk = await process.read(); chunk; chunk = await process.read()) hash.update(chunk)
      await process.write('stdout', Buffer.from(hash.digest('hex')))
      return 0
    }
    case 'flood':
      await flood(process, Number(argument), option === 'both')
      return 0
    case 'sizes':
      for (let count = Number(argument); count > 0; count--) {
        const { rows, columns } = await process.nextSize()
        await process.write('stdout', Buffer.from(`${columns}x${rows}\n`))
      }
      return 0
    case 'early':
      await process.write('stdout', Buffer.from(argument))
      return 0
    case 'exit':
      await process.write('stderr', Buffer.from(`exits with ${argument}`))
      return Number(argument)
    default:
      await process.killed
      return 137
  }
}

async function flood(process: Process, bytes: number, onBoth: boolean): Promise<void> {
  for (let offset = 0; offset < bytes; offset += floodChunk.length) {
    const data = floodChunk.subarray(0, bytes - offset)
    const isOdd = (offset / floodChunk.length) % 2 === 1
    await process.write(onBoth && isOdd ? 'stderr' : 'stdout', data)
  }
}

/** What `flood` repeats. */
export const floodChunk: Buffer = Buffer.from(
  Array.from({ length: 32 * 1024 }, (_, index) => (index * 7) % 251),
)

/** One item at a time from a giver to a taker: nothing is kept, as in a full pipe. */
class Handover<Item> {
  #offered: { readonly item: Item; readonly taken: () => void }[] = []
  #takers: ((item: Item | undefined) => void)[] = []
  #isOver = false

  give(item: Item): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    const taker = this.#takers.shift()
    if (taker) {
      taker(item)
      return Promise.resolve()
    }
    return new Promise(taken => {
      this.#offered.push({ item, taken })
    })
  }

  take(): Promise<Item | undefined> {
    const next = this.#offered.shift()
    if (next) {
      next.taken()
      return Promise.resolve(next.item)
    }
    if (this.#isOver) return Promise.resolve(undefined)
    return new Promise(resolve => {
      this.#takers.push(resolve)
    })
  }

  end(): void {
    this.#isOver = true
    for (const taker of this.#takers.splice(0)) taker(undefined)
  }

  async *items(): AsyncGenerator<Item, void, void> {
    for (let item = await this.take(); item !== undefined; item = await this.take()) yield item
  }
}

/** Both ends of a TCP connection in this process: the kernel's half-closes, resets and buffers. */
export async function tcpPair(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port')
  const accepted = new Promise<Socket>(resolve => server.once('connection', resolve))
  const client = connectSocket({ port: address.port, host: '127.0.0.1', allowHalfOpen: true })
  const [far] = await Promise.all([accepted, new Promise<void>(resolve => client.once('connect', resolve))])
  server.close()
  return [client, far]
}
