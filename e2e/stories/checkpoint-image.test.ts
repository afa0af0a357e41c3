import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import { type BuiltImage, buildImage } from '../../deploy/demo/image-builder.ts'
import type { LayerEntry } from '../../deploy/demo/tar-writer.ts'
import { criuPath, whyNoCriu } from '../harness/criu.ts'
import { eventually } from '../harness/eventually.ts'
import { readLogText } from '../harness/pod-log.ts'
import { mustRun } from '../harness/program.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

const skip = await whyNoCriu()
const story = useWorld({ config: `checkpoint: {criuPath: ${criuPath}, restoreImages: true}\n` })

const shell = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'

function counts(s: Story, pod: TestPod): Promise<readonly number[]> {
  return eventually('it counts', async () => {
    const all = (await readLogText(s.logPath(pod))).map(Number)
    return all.length >= 5 && all
  })
}

async function checkpointed(s: Story): Promise<string> {
  const pod = await s.runPod()
  const containerId = await s.run(pod, { shell })
  await counts(s, pod)
  const location = join(s.scratch.dir, 'image.tar')
  await s.cri.client.call(rpc.CheckpointContainer, { containerId, location })
  const directory = await mkdtemp(join(s.scratch.dir, 'unpacked-'))
  await mustRun(['tar', '-xf', location, '-C', directory])
  await mustRun(['rm', location])
  return directory
}

/** What tools that make checkpoint images do: a layer of the archive's content on nothing, and an annotation. */
async function imageOf(
  directory: string,
  { annotation, more = [] }: { readonly annotation: string; readonly more?: readonly LayerEntry[] },
): Promise<BuiltImage> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  const entries = await Promise.all(
    names
      .filter(entry => entry.isFile())
      .map(async ({ parentPath, name }): Promise<LayerEntry> => {
        const path = join(parentPath, name)
        return { type: 'file', path: path.slice(directory.length + 1), content: await readFile(path) }
      }),
  )
  const image = await buildImage({ layers: [{ entries: [...entries, ...more] }] })
  const plain = JSON.parse(image.manifest.toString()) as object
  const manifest = Buffer.from(JSON.stringify({ ...plain, annotations: { [annotation]: 'main' } }))
  return { ...image, manifest, digest: `sha256:${createHash('sha256').update(manifest).digest('hex')}` }
}

const annotations = ['io.kubernetes.cri-o.annotations.checkpoint.name', 'org.criu.checkpoint.container.name']

test(
  'a container whose image is a checkpoint goes on from it',
  { skip },
  story(async s => {
    const directory = await checkpointed(s)
    for (const [index, annotation] of annotations.entries()) {
      const image = s.registry.put(
        'checkpoint',
        `v${String(index)}`,
        await imageOf(directory, { annotation }),
      )
      const id = await s.cri.pull(image)
      const pod = await s.runPod()
      const restored = await s.run(pod, { image: id, shell })
      const [first = 0] = await counts(s, pod)
      assert.ok(first >= 5, `${annotation}: began with ${String(first)}`)
      assert.equal(await s.exec(restored, 'echo', 'alive'), 'alive')
    }
  }),
)

test(
  'an image that only says that it is a checkpoint is refused; without the annotation it is an image',
  { skip },
  story(async s => {
    const directory = await checkpointed(s)
    const [annotation = ''] = annotations
    const more: readonly LayerEntry[] = [{ type: 'symlink', path: 'checkpoint/x', target: '/etc/shadow' }]
    const bad = s.registry.put('checkpoint', 'bad', await imageOf(directory, { annotation, more }))
    const pod = await s.runPod()
    await assert.rejects(s.create(pod, { image: await s.cri.pull(bad) }), {
      code: grpcCode.invalidArgument,
      details: /not a plain file/,
    })
    const other = s.registry.put('checkpoint', 'other', await imageOf(directory, { annotation: 'a.b/c' }))
    const id = await s.create(pod, { image: await s.cri.pull(other) })
    await assert.rejects(s.cri.startContainer(id), { code: grpcCode.failedPrecondition })
    assert.equal((await s.cri.containerStatus(id)).reason, 'StartError')
  }),
)
