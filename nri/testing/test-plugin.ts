import { connect, type Socket } from 'node:net'
import { RuntimeError } from '#base/errors'
import { api } from '#nri-proto'
import { allEvents } from '../session/events.ts'
import { muxConnections } from '../wire/mux.ts'
import { createRpcConnection, type RpcConnection } from '../wire/rpc-connection.ts'
import { deferred } from './deferred.ts'

/** Answers one call; what it throws is what the plugin refuses. */
export type TestHandler = (payload: Uint8Array) => Promise<Uint8Array> | Uint8Array

export interface TestPluginOptions {
  readonly name?: string
  readonly index?: string
  /** Mask of the subscription; default: everything. */
  readonly events?: number
  /** By method; what is not here answers with an empty message. */
  readonly handlers?: Readonly<Record<string, TestHandler>>
}

/** The other side of NRI, over a real connection. */
export interface TestPlugin {
  /** Methods in the order in which they were called; of those with a subject, also its name: `StopContainer main`. */
  readonly heard: string[]
  /** Ids that Synchronize brought. */
  readonly synchronized: { readonly pods: string[]; readonly containers: string[] }
  readonly configured: Promise<api.ConfigureRequest>
  /** Resolves when the last Synchronize was answered. */
  readonly ready: Promise<unknown>
  readonly connection: RpcConnection
  register(): Promise<void>
  updateContainers(update: api.UpdateContainersRequest.$Properties): Promise<api.UpdateContainersResponse>
  close(): void
}

const timeoutMs = 10_000
const services = { plugin: 'nri.pkg.api.v1alpha1.Plugin', runtime: 'nri.pkg.api.v1alpha1.Runtime' }

/** Connects and registers. */
export async function startTestPlugin(path: string, options: TestPluginOptions = {}): Promise<TestPlugin> {
  const plugin = testPluginOn(connect(path), options)
  await plugin.register()
  return plugin
}

export function testPluginOn(socket: Socket, options: TestPluginOptions): TestPlugin {
  const heard: string[] = []
  const synchronized = { pods: new Array<string>(), containers: new Array<string>() }
  const configured = deferred<api.ConfigureRequest>()
  const ready = deferred<undefined>()

  async function answer(method: string, payload: Uint8Array): Promise<Uint8Array> {
    heard.push(`${method} ${subjectOf(method, payload)}`.trim())
    const custom = await options.handlers?.[method]?.(payload)
    if (method === 'Configure') {
      configured.resolve(api.ConfigureRequest.decode(payload))
      return custom ?? api.ConfigureResponse.encode({ events: options.events ?? allEvents }).finish()
    }
    if (method !== 'Synchronize') return custom ?? new Uint8Array(0)
    const { pods, containers, more } = api.SynchronizeRequest.decode(payload)
    synchronized.pods.push(...pods.map(({ id }) => id ?? ''))
    synchronized.containers.push(...containers.map(({ id }) => id ?? ''))
    if (!more) ready.resolve(undefined)
    return custom ?? api.SynchronizeResponse.encode({ more }).finish()
  }

  const connection = createRpcConnection({
    socket,
    calls: { service: services.runtime, connection: muxConnections.runtime },
    offers: { service: services.plugin, serve: answer },
  })
  void connection.closed.then(reason => {
    ready.reject(reason)
  })
  ready.promise.catch(() => undefined)

  return {
    heard,
    synchronized,
    configured: configured.promise,
    ready: ready.promise,
    connection,
    async register() {
      const request = { pluginName: options.name ?? 'test', pluginIdx: options.index ?? '10' }
      await connection.call('RegisterPlugin', api.RegisterPluginRequest.encode(request).finish(), timeoutMs)
    },
    async updateContainers(update) {
      const payload = api.UpdateContainersRequest.encode(update).finish()
      return api.UpdateContainersResponse.decode(
        await connection.call('UpdateContainers', payload, timeoutMs),
      )
    },
    close() {
      connection.close(new RuntimeError('cancelled', 'the test plugin goes'))
    },
  }
}

/** All requests with a subject have the pod as field 1 and the container as field 2. */
function subjectOf(method: string, payload: Uint8Array): string {
  if (method === 'StateChange') {
    const { event, pod, container } = api.StateChangeEvent.decode(payload)
    return `${api.Event[event]} ${container?.name ?? pod?.name ?? ''}`
  }
  if (!/Pod|Container/.test(method)) return ''
  const { pod, container } = api.StartContainerRequest.decode(payload)
  return method.includes('Pod') ? (pod?.name ?? '') : (container?.name ?? '')
}
