import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import { createFrameConnection, type FrameConnection } from './frame-connection.ts'
import { type FieldValue, type Frame, frameTypes } from './protocol.ts'

/** Longer than the host itself waits for its killed children (HOST_EXIT_MS in host.h). */
const exitTimeoutMs = 15_000
/** Of one piece of the host's stderr. */
const stderrLineLimit = 1024

export interface HostCall {
  readonly type: number
  readonly fields: readonly (readonly [tag: number, value: FieldValue])[]
  /** What fails if the time is up, `mount of overlay "/x"`. */
  readonly what: string
  /** After this long the call fails with `deadline-exceeded`; the host goes on, and its late answer is ignored. */
  readonly timeoutMs: number
  /** Aborting sends CANCEL; the call settles when the answer comes. */
  readonly cancelSignal?: AbortSignal
}

/** One life of the host process. */
export interface HostSession {
  /** Answers the OK or ERROR frame. Errors: `unavailable` when the host goes away, `deadline-exceeded`. */
  call(call: HostCall): Promise<Frame>
  /** False once calls can only fail. */
  isOpen(): boolean
  /** Settles when the process is gone; all calls have failed by then. */
  readonly ended: Promise<void>
  /** Lets the process end; it is killed if it does not in time. */
  close(): Promise<void>
}

/** Starts the program. Errors: `not-found` or `unavailable` when it cannot be executed. */
export async function startHostSession(programPath: string, log: Log): Promise<HostSession> {
  const child = spawn(programPath, [], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: {}, cwd: '/' })
  const ended = new Promise<void>(resolve => {
    child.once('exit', (code, signal) => {
      log.debug({ pid: child.pid, code, signal }, 'lighter-host ended')
      resolve()
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', err => {
      const kind = errnoOf(err) === 'ENOENT' ? 'not-found' : 'unavailable'
      reject(new RuntimeError(kind, `cannot start ${programPath}: ${messageOf(err)}`, { cause: err }))
    })
  })
  child.on('error', err => {
    log.warn({ err: messageOf(err) }, 'lighter-host cannot be signalled')
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log.warn({ text: text.trim().slice(0, stderrLineLimit) }, 'lighter-host says')
  })
  const socket = child.stdio[3]
  if (!(socket instanceof Socket)) throw new RuntimeError('internal', 'lighter-host has no socket')
  const connection = createFrameConnection(socket, 'lighter-host')
  return createSession({ child, connection, log, exited: ended, pending: new Map() })
}

interface SessionParts {
  readonly child: ChildProcess
  readonly connection: FrameConnection
  readonly log: Log
  readonly exited: Promise<void>
  readonly pending: Map<number, PendingCall>
}

interface PendingCall {
  readonly resolve: (frame: Frame) => void
  readonly reject: (err: RuntimeError) => void
}

function createSession(parts: SessionParts): HostSession {
  const { connection, exited, pending } = parts
  let lastId = 0
  let isOpen = true
  const receiving = receiveAnswers(parts).then(async () => {
    isOpen = false
    const gone = new RuntimeError('unavailable', 'lighter-host went away; it is being started again')
    for (const call of pending.values()) call.reject(gone)
    connection.close()
    await endProcess(parts.child, exited)
  })
  const ended = exited.then(async () => {
    connection.close()
    await receiving
  })
  return {
    isOpen: () => isOpen,
    ended,
    async call(call) {
      lastId = (lastId + 1) % 0x1_0000_0000
      const id = lastId
      const answer = new Promise<Frame>((resolve, reject) => {
        pending.set(id, { resolve, reject })
      })
      answer.catch(() => undefined) // it may fail before anybody looks, while the request is being sent
      return waitForAnswer({ connection, pending, id, call, answer })
    },
    async close() {
      isOpen = false
      connection.close()
      await endProcess(parts.child, ended)
    },
  }
}

/** Hands answers to their calls until the connection ends. */
async function receiveAnswers(parts: SessionParts): Promise<void> {
  try {
    for (;;) {
      const frame = await parts.connection.receive()
      if (!frame) break
      parts.pending.get(frame.id)?.resolve(frame)
    }
  } catch (err) {
    parts.log.error({ err: messageOf(err) }, 'the connection to lighter-host broke')
  }
}

async function endProcess(child: ChildProcess, ended: Promise<void>): Promise<void> {
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
  }, exitTimeoutMs)
  try {
    await ended
  } finally {
    clearTimeout(timer)
  }
}

interface Waiting {
  readonly connection: FrameConnection
  readonly pending: Map<number, PendingCall>
  readonly id: number
  readonly call: HostCall
  readonly answer: Promise<Frame>
}

async function waitForAnswer(waiting: Waiting): Promise<Frame> {
  const { connection, pending, id, call } = waiting
  const cancel = () => {
    void connection.send({ id, type: frameTypes.cancel, fields: [] }).catch(() => undefined)
  }
  const timer = setTimeout(() => {
    const seconds = call.timeoutMs / 1000
    const late = new RuntimeError('deadline-exceeded', `${call.what} takes longer than ${seconds} s`)
    pending.get(id)?.reject(late)
  }, call.timeoutMs)
  try {
    await connection.send({ id, type: call.type, fields: call.fields })
    if (call.cancelSignal?.aborted) cancel()
    else call.cancelSignal?.addEventListener('abort', cancel, { once: true })
    return await waiting.answer
  } finally {
    clearTimeout(timer)
    call.cancelSignal?.removeEventListener('abort', cancel)
    pending.delete(id)
  }
}
