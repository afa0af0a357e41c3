import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import type { Ctx } from '#base/context'
import { isKind } from '#base/errors'
import { pathExists } from '#base/files'
import { parseDigest } from '#base/ids'
import { silentLog } from '#base/log'
import type { ContainerConfig } from '../model/container.ts'
import type { Image } from '../model/image.ts'
import { createPaths } from '../state/paths.ts'
import { createContainerBench, testCtx } from '../testing/container-bench.ts'
import { sampleContainerConfig } from '../testing/samples.ts'
import type { ContainerDeps } from './container-deps.ts'
import { createCreateContainer } from './create-container.ts'
import { createStartContainer } from './start-container.ts'

const digest = parseDigest(`sha256:${'ab'.repeat(32)}`)
const image: Image = {
  id: digest,
  repoTags: [],
  repoDigests: [],
  manifestDigest: digest,
  sizeBytes: 1,
  chainIds: [],
  config: {
    user: '',
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: '',
    stopSignal: '',
    volumes: [],
    labels: {},
    os: 'linux',
    architecture: 'amd64',
    created: '',
  },
  isPinned: false,
  pulledAtNs: 1n,
}

interface Bench {
  readonly deps: ContainerDeps
  readonly create: (ctx: Ctx, config?: ContainerConfig) => Promise<string>
  /** Bundles that were begun. */
  readonly bundles: () => number
  /** Ends the one that is under way. */
  readonly finishBundle: (err?: Error) => void
  /** Lets root file systems be removed. */
  readonly allowUndo: () => void
}

/** Bundles wait until the test says so, and so does the undo of root file systems. */
async function bench(t: TestContext): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-create-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const { deps: usual, pod } = await createContainerBench()
  let bundles = 0
  let settle: (err?: Error) => void = () => undefined
  let allowUndo: () => void = () => undefined
  const undoAllowed = new Promise<void>(resolve => {
    allowUndo = resolve
  })
  const deps: ContainerDeps = {
    ...usual,
    paths: createPaths({ rootDir: join(directory, 'root'), stateDir: join(directory, 'state') }),
    images: {
      find: () => image,
      rootfs: { ...usual.images.rootfs, remove: () => undoAllowed },
    },
    bundles: {
      ...usual.bundles,
      prepare: async () => {
        bundles++
        await new Promise<void>((resolve, reject) => {
          settle = err => {
            if (err) reject(err)
            else resolve()
          }
        })
        const user = { uid: 0, gid: 0, supplementalGroups: [] }
        return { user, stopSignal: 'SIGTERM', cgroupsPath: '/x', oomPath: undefined }
      },
    },
  }
  const create = createCreateContainer(deps, 'k8s.io')
  return {
    deps,
    create: (ctx, config = sampleContainerConfig()) => create(ctx, { podId: pod.id, config }),
    bundles: () => bundles,
    finishBundle: err => {
      settle(err)
    },
    allowUndo,
  }
}

function impatient(): { readonly ctx: Ctx; readonly leave: () => void } {
  const controller = new AbortController()
  return {
    ctx: { signal: controller.signal, log: silentLog },
    leave: () => {
      controller.abort()
    },
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setImmediate(resolve))
}

test('a retry joins the creation whose caller has left, who heard what it is at', async t => {
  const { deps, create, bundles, finishBundle } = await bench(t)
  const { ctx, leave } = impatient()
  const first = create(ctx)
  await until(() => bundles() === 1)
  leave()
  await assert.rejects(first, err => isKind(err, 'cancelled') && err.message.includes('(bundle)'))
  const retry = create(testCtx)
  finishBundle()
  const id = await retry
  assert.deepEqual(
    deps.table.all().map(container => [container.id, container.phase]),
    [[id, 'created']],
  )
  assert.equal(bundles(), 1)
  await assert.rejects(create(testCtx), err => isKind(err, 'already-exists'))
})

test('a retry adopts what was made when nobody waited, until it is used', async t => {
  const { deps, create, bundles, finishBundle } = await bench(t)
  const { ctx, leave } = impatient()
  const first = create(ctx)
  await until(() => bundles() === 1)
  leave()
  await assert.rejects(first)
  finishBundle()
  await until(() => deps.table.all()[0]?.phase === 'created')
  const [made] = deps.table.all()
  assert.equal(await create(testCtx), made?.id)
  assert.equal(bundles(), 1)
  await assert.rejects(createStartContainer(deps)(testCtx, made?.id ?? ''))
  await assert.rejects(create(testCtx), err => isKind(err, 'already-exists'))
})

test('a creation that fails leaves nothing, and a retry that meets its undo starts afresh', async t => {
  const { deps, create, bundles, finishBundle, allowUndo } = await bench(t)
  const first = create(testCtx)
  await until(() => bundles() === 1)
  const [half] = deps.table.all()
  assert.ok(half)
  finishBundle(new Error('disk full'))
  const failed = assert.rejects(first, /cannot create container "nginx" in pod ".*" \(bundle\): disk full/)
  await new Promise(resolve => setImmediate(resolve))
  const retry = create(testCtx)
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(bundles(), 1)
  allowUndo()
  await failed
  assert.equal(deps.table.get(half.id), undefined)
  assert.equal(await pathExists(deps.paths.container(half.id).directory), false)
  await until(() => bundles() === 2)
  finishBundle()
  assert.notEqual(await retry, half.id)
})

test('the next attempt does not wait for the one before', async t => {
  const { create, bundles, finishBundle } = await bench(t)
  const { ctx, leave } = impatient()
  const first = create(ctx)
  await until(() => bundles() === 1)
  leave()
  await assert.rejects(first)
  const next = create(testCtx, sampleContainerConfig({ metadata: { name: 'nginx', attempt: 1 } }))
  await until(() => bundles() === 2)
  finishBundle()
  assert.match(await next, /^[0-9a-f]{64}$/)
})
