import { isKind, messageOf, RuntimeError, withContext } from '#base/errors'
import { createLimiter } from '#base/locks'
import type { Log } from '#base/log'
import type { RpcConnection } from '../wire/rpc-connection.ts'
import { type PluginCall, type PluginEvent, shutdownCall, stateChangeCall } from './events.ts'
import { fullName, type PluginName } from './names.ts'

/** One plugin that is registered and configured. Ends with its connection; whoever breaks the rules is disconnected. */
export interface PluginSession extends PluginName {
  /** `10-name`. */
  readonly fullName: string
  handles(event: { readonly bit: number }): boolean
  /**
   * Answers undefined if the plugin does not handle the event, is gone, or does not answer in time and so is gone
   * now. Errors: what the plugin refuses, with its name.
   */
  ask<Request, Response>(
    event: PluginEvent<Request, Response>,
    request: Request,
  ): Promise<Response | undefined>
  /** As ask(), for what is no event. */
  call<Request, Response>(input: CallInput<Request, Response>): Promise<Response | undefined>
  close(reason: RuntimeError): void
  /** Says good-bye, then closes. */
  shutdown(): Promise<void>
  isClosed(): boolean
  readonly closed: Promise<RuntimeError>
}

export interface CallInput<Request, Response> {
  readonly call: PluginCall<Request, Response>
  readonly request: Request
  readonly timeoutMs: number
}

export interface SessionInput {
  readonly connection: RpcConnection
  readonly name: PluginName
  /** What it subscribed to. */
  readonly mask: number
  readonly requestTimeoutMs: number
  readonly log: Log
}

export function createPluginSession(input: SessionInput): PluginSession {
  const { connection, mask } = input
  const name = fullName(input.name)
  const log = input.log.child({ plugin: name })
  const calls = createCalls(input)
  // Plugins are written for runtimes that ask one thing at a time.
  const turns = createLimiter(1)

  /** A plugin that is gone, or has to go, fails nobody's pod. */
  async function unlessGone<Response>(
    method: string,
    work: () => Promise<Response>,
  ): Promise<Response | undefined> {
    try {
      return await turns.run(async () => (connection.isClosed() ? undefined : await work()))
    } catch (err) {
      if (!connection.isClosed()) throw withContext(`NRI plugin "${name}" fails ${method}`, err)
      log.warn({ method, err: messageOf(err) }, 'NRI plugin was lost while it was asked')
      return undefined
    }
  }

  return {
    ...input.name,
    fullName: name,
    handles: event => (mask & event.bit) !== 0,
    async ask(event, request) {
      if ((mask & event.bit) === 0) return undefined
      return unlessGone(event.method, () => calls.ask(event, request))
    },
    call: async call => unlessGone(call.call.method, () => calls.raw(call)),
    close(reason) {
      connection.close(reason)
    },
    async shutdown() {
      const call = { call: shutdownCall, request: {}, timeoutMs: input.requestTimeoutMs }
      try {
        await unlessGone('Shutdown', () => calls.raw(call))
      } catch (err) {
        log.debug({ err: messageOf(err) }, 'NRI plugin does not take its good-bye')
      }
      connection.close(new RuntimeError('cancelled', 'the runtime stops'))
    },
    isClosed: () => connection.isClosed(),
    closed: connection.closed,
  }
}

interface Calls {
  raw<Request, Response>(input: CallInput<Request, Response>): Promise<Response>
  ask<Request, Response>(event: PluginEvent<Request, Response>, request: Request): Promise<Response>
}

function createCalls({ connection, requestTimeoutMs }: SessionInput): Calls {
  async function raw<Request, Response>({
    call,
    request,
    timeoutMs,
  }: CallInput<Request, Response>): Promise<Response> {
    const answer = await connection.call(call.method, call.encode(request), timeoutMs)
    try {
      return call.decode(answer)
    } catch (err) {
      const reason = new RuntimeError('invalid-argument', `its answer to ${call.method} is damaged`, {
        cause: err,
      })
      connection.close(reason)
      throw reason
    }
  }

  return {
    raw,
    async ask(event, request) {
      try {
        return await raw({ call: event, request, timeoutMs: requestTimeoutMs })
      } catch (err) {
        if (!isKind(err, 'unimplemented') || !event.asStateChange) throw err
        const change = event.asStateChange(request)
        await raw({ call: stateChangeCall, request: change, timeoutMs: requestTimeoutMs })
        return event.decode(new Uint8Array(0))
      }
    },
  }
}
