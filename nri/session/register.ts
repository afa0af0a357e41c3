import type { Duplex } from 'node:stream'
import Long from 'long'
import { RuntimeError, withContext } from '#base/errors'
import type { Log } from '#base/log'
import { api } from '#nri-proto'
import { muxConnections } from '../wire/mux.ts'
import { createRpcConnection, type RpcConnection } from '../wire/rpc-connection.ts'
import { allEvents, configureCall } from './events.ts'
import { checkPluginName, fullName, type PluginName } from './names.ts'
import { createPluginSession, type PluginSession } from './plugin-session.ts'

/** The line of the protocol that is spoken. */
const nriVersion = 'v0.12.1'
const runtimeName = 'lighter'

/** Offered by plugins, and to plugins. */
const services = {
  plugin: 'nri.pkg.api.v1alpha1.Plugin',
  runtime: 'nri.pkg.api.v1alpha1.Runtime',
} as const

export interface RegisterDeps {
  /** From the connection to RegisterPlugin. */
  readonly registrationTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Version of lighter. */
  readonly version: string
  /** Serves UpdateContainers. */
  readonly updateContainers: (
    request: api.UpdateContainersRequest,
  ) => Promise<readonly api.ContainerUpdate.$Properties[]>
  readonly log: Log
}

export interface PluginSocket {
  readonly socket: Duplex
  /** Of one that was started here; an external one says who it is. */
  readonly preinstalled: { readonly name: PluginName; readonly config: string } | undefined
}

/**
 * Lets a plugin register and configures it. It is not synchronized yet. Errors: what went wrong; then the connection
 * is closed.
 */
export async function registerPlugin(
  deps: RegisterDeps,
  { socket, preinstalled }: PluginSocket,
): Promise<PluginSession> {
  const registration = createRegistration(deps)
  const connection = createRpcConnection({
    socket,
    calls: { service: services.plugin, connection: muxConnections.plugin },
    offers: { service: services.runtime, serve: registration.serve },
  })
  try {
    const said = await registration.wait(connection)
    const name = preinstalled?.name ?? said
    const mask = await configure(deps, connection, preinstalled?.config ?? '')
    registration.accept()
    return createPluginSession({
      connection,
      name,
      mask,
      requestTimeoutMs: deps.requestTimeoutMs,
      log: deps.log,
    })
  } catch (err) {
    const failure = withContext('the plugin cannot be registered', err)
    connection.close(failure)
    throw failure
  }
}

/** What a plugin may call: RegisterPlugin once, first; then UpdateContainers. */
interface Registration {
  readonly serve: (method: string, payload: Uint8Array) => Promise<Uint8Array>
  /** Errors: `deadline-exceeded`, or why the connection ended; it has ended then. */
  wait(connection: RpcConnection): Promise<PluginName>
  accept(): void
}

function createRegistration({ registrationTimeoutMs, updateContainers }: RegisterDeps): Registration {
  let isAccepted = false
  let name: PluginName | undefined
  let tellRegistered: (name: PluginName) => void = () => undefined
  const registered = new Promise<PluginName>(resolve => {
    tellRegistered = resolve
  })

  function register(request: api.RegisterPluginRequest): void {
    if (name) throw new RuntimeError('failed-precondition', `the plugin is registered as ${fullName(name)}`)
    const said = { index: request.pluginIdx, base: request.pluginName }
    checkPluginName(said)
    name = said
    tellRegistered(said)
  }

  return {
    async serve(method, payload) {
      if (method === 'RegisterPlugin') {
        register(api.RegisterPluginRequest.decode(payload))
        return api.Empty.encode({}).finish()
      }
      if (method !== 'UpdateContainers') throw new RuntimeError('unimplemented', `${method} is not known`)
      if (!isAccepted) throw new RuntimeError('failed-precondition', 'the plugin is not configured yet')
      const failed = await updateContainers(api.UpdateContainersRequest.decode(payload))
      return api.UpdateContainersResponse.encode({ failed: [...failed] }).finish()
    },
    async wait(connection) {
      const late = new RuntimeError(
        'deadline-exceeded',
        `it did not register within ${registrationTimeoutMs} ms`,
      )
      const timer = setTimeout(() => {
        connection.close(late)
      }, registrationTimeoutMs)
      try {
        const first = await Promise.race([registered, connection.closed])
        if (first instanceof RuntimeError) throw first
        return first
      } finally {
        clearTimeout(timer)
      }
    },
    accept() {
      isAccepted = true
    },
  }
}

/** Answers the mask of the events that the plugin wants. */
async function configure(deps: RegisterDeps, connection: RpcConnection, config: string): Promise<number> {
  const request = {
    config,
    runtimeName,
    runtimeVersion: deps.version,
    registrationTimeout: Long.fromNumber(deps.registrationTimeoutMs),
    requestTimeout: Long.fromNumber(deps.requestTimeoutMs),
    NRIVersion: nriVersion,
  }
  const { method } = configureCall
  const answer = await connection.call(method, configureCall.encode(request), deps.requestTimeoutMs)
  const { events } = configureCall.decode(answer)
  if ((events & ~allEvents) !== 0) {
    throw new RuntimeError(
      'invalid-argument',
      `it subscribes to events that do not exist: 0x${events.toString(16)}`,
    )
  }
  return events === 0 ? allEvents : events
}
