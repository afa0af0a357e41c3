import { once } from 'node:events'
import { join } from 'node:path'
import { type Ctx, orAborted, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import { makeDirectory, removePath } from '#base/files'
import { createUndoStack, type UndoStack } from '#base/undo-stack'
import { type CriClient, createCriClient } from '../../cri/grpc/client.ts'
import { webPage, webServerImage } from './busybox-image.ts'
import { type DemoDaemon, refuseSecondDaemon, startDaemon } from './demo-daemon.ts'
import { prepareNetwork, writeMirror } from './demo-files.ts'
import { removeDemoPods, runWebPod, type WebPod } from './demo-pod.ts'
import { waitForPage } from './http-page.ts'
import { createRegistry } from './registry.ts'

export interface DemoOptions {
  /** Clean up as soon as the web server has answered. */
  readonly isOnce: boolean
  readonly rootDir: string
  readonly stateDir: string
  /** Where the demo tells what it does. */
  readonly write: (text: string) => void
}

/** The registry that the demo's own one stands in for. */
const mirroredHost = 'registry.k8s.io'
const repository = 'lighter/web-server'
const tag = '1'
const imageName = `${mirroredHost}/${repository}:${tag}`

/**
 * Registry, daemon, image, pod; then waits for the abort of `ctx` (or not, with isOnce) and takes all of it down
 * again. Rejects if something could not be started, answered or taken down, or if the daemon ended by itself.
 */
export async function runDemo(ctx: Ctx, options: DemoOptions): Promise<void> {
  const undo = createUndoStack(ctx.log)
  const cleanUp = async () => {
    options.write('demo: cleaning up\n')
    return undo.run()
  }
  try {
    await serve(ctx, { options, undo })
  } catch (err) {
    // Ctrl-C is the usual end, at whatever step it comes.
    if (!ctx.signal.aborted) {
      await cleanUp()
      throw err
    }
  }
  const left = await cleanUp()
  if (left.length > 0) throw new RuntimeError('internal', `could not ${left.join(', ')}`)
}

interface DemoInput {
  readonly options: DemoOptions
  readonly undo: UndoStack
}

async function serve(ctx: Ctx, { options, undo }: DemoInput): Promise<void> {
  const { daemon, pod } = await start(ctx, { options, undo })
  const page = await orAborted(ctx, waitForPage(`http://${pod.ip}/`))
  if (page !== webPage) {
    throw new RuntimeError('internal', `http://${pod.ip}/ answers with another page than that of the image`)
  }
  options.write(summary(pod, { daemon, stateDir: options.stateDir }))
  if (!options.isOnce) await Promise.race([interrupted(ctx.signal), daemon.ended()])
}

interface Started {
  readonly daemon: DemoDaemon
  readonly pod: WebPod
}

/** Every step is undone by one that is pushed before it, or at once after it if a failed step leaves nothing. */
async function start(ctx: Ctx, { options, undo }: DemoInput): Promise<Started> {
  if (process.getuid?.() !== 0) {
    throw new RuntimeError('permission-denied', 'containers need root: run this as root')
  }
  const { stateDir, write } = options
  // Before anything is made: it would be made in the directory of a demo that is running.
  await refuseSecondDaemon(stateDir)
  const demoDir = `${stateDir}-demo`
  undo.push(`remove ${demoDir}`, () => removePath(demoDir))
  await makeDirectory(demoDir)
  const registry = createRegistry()
  undo.push('stop the registry', () => registry.stop())
  await registry.start()
  registry.put(repository, tag, await webServerImage())
  write(`demo: ${imageName} is served on ${registry.host()}\n`)

  const certsDir = join(demoDir, 'certs.d')
  await writeMirror(certsDir, { host: mirroredHost, mirror: registry.host() })
  const network = await prepareNetwork(demoDir)
  undo.push('remove the network', () => network.remove())
  const daemon = await startDaemon({
    ...options,
    certsDir,
    cniConfDir: network.confDir,
    logPath: join(demoDir, 'lighterd.log'),
  })
  undo.push('stop the daemon', () => daemon.stop())
  throwIfAborted(ctx)
  write('demo: lighterd is ready\n')

  const client: CriClient = createCriClient(daemon.socketPath)
  undo.push('close the connection', () => {
    client.close()
  })
  // What a demo that was killed may have left; and what this one leaves.
  const clean = () => removeDemoPods(client, imageName)
  await clean()
  undo.push('remove the pod and its image', clean)
  const pod = await runWebPod(ctx, { client, imageName, logDir: join(demoDir, 'pod-logs') })
  return { daemon, pod }
}

async function interrupted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

function summary(
  pod: WebPod,
  { daemon, stateDir }: { readonly daemon: DemoDaemon; readonly stateDir: string },
): string {
  return `
lighter runs a pod with a web server:

  image   ${imageName}
  pod     ${pod.podId.slice(0, 13)}
  IP      ${pod.ip}
  log     ${daemon.logPath}

  curl http://${pod.ip}/
  crictl --runtime-endpoint unix://${daemon.socketPath} ps
  crictl --runtime-endpoint unix://${daemon.socketPath} logs ${pod.containerId.slice(0, 13)}

State is in ${stateDir}. Ctrl-C removes the pod and stops the daemon.

`
}
