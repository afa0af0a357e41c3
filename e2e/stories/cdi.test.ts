import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { fails } from '../harness/expect.ts'
import { readText } from '../harness/files.ts'
import { useWorld } from '../harness/world.ts'

const directory = await mkdtemp(join(tmpdir(), 'lt-cdi-'))
after(() => rm(directory, { recursive: true, force: true }))
const [specs, driver, hooked] = ['specs', 'driver', 'hooked'].map(name => join(directory, name))

const story = useWorld({
  config: `cdi: {specDirs: [${specs ?? ''}]}`,
  async prepare() {
    await mkdir(specs ?? '')
    await mkdir(driver ?? '')
    await writeFile(join(driver ?? '', 'libgpu.so'), 'the driver')
    await writeFile(
      join(specs ?? '', 'gpu.yaml'),
      `cdiVersion: "1.1.0"
kind: vendor.com/gpu
containerEdits:
  env: [GPU_DRIVER=1.2.3]
  mounts:
    - {hostPath: ${driver ?? ''}, containerPath: /opt/driver, options: [ro, nosuid]}
  hooks:
    - {hookName: createRuntime, path: /bin/sh, args: [sh, -c, "cat > ${hooked ?? ''}"]}
devices:
  - name: zero
    containerEdits:
      env: [GPU=zero]
      deviceNodes: [{path: /dev/gpu0, hostPath: /dev/zero, permissions: rw}]
      additionalGids: [4444]
  - name: one
    containerEdits:
      deviceNodes: [{path: /dev/gpu1, hostPath: /dev/full}]
`,
    )
    return []
  },
})

test(
  'devices of the field and of annotations are in the container, with all that belongs to them',
  story(async s => {
    const id = await s.run(await s.runPod(), {
      CDIDevices: [{ name: 'vendor.com/gpu=zero' }],
      annotations: { 'cdi.k8s.io/test': 'vendor.com/gpu=one' },
    })
    assert.equal(await s.exec(id, 'sh', '-c', 'echo $GPU $GPU_DRIVER'), 'zero 1.2.3')
    assert.equal(await s.exec(id, 'sh', '-c', 'head -c 4 /dev/gpu0 | wc -c; ls /dev/gpu1'), '4\n/dev/gpu1')
    assert.equal(await s.exec(id, 'cat', '/opt/driver/libgpu.so'), 'the driver')
    assert.match((await s.cri.exec(id, ['touch', '/opt/driver/x'])).stderr, /Read-only file system/)
    assert.match(await s.exec(id, 'id', '-G'), /\b4444\b/)
    const { user } = await s.cri.containerStatus(id)
    assert.ok(user?.linux?.supplementalGroups?.map(Number).includes(4444))
    assert.match(await readText(hooked ?? ''), new RegExp(id))
  }),
)

test(
  'a device that is not there is an error that names it, until its spec appears',
  story(async s => {
    const pod = await s.runPod()
    const overrides = { CDIDevices: [{ name: 'vendor.com/gpu=two' }] }
    await fails(s.create(pod, overrides), 'failedPrecondition', /CDI device "vendor\.com\/gpu=two"/)
    await fails(s.create(pod, { CDIDevices: [{ name: 'gpu' }] }), 'invalidArgument', /"gpu"/)
    const late = {
      cdiVersion: '0.6.0',
      kind: 'vendor.com/gpu',
      devices: [{ name: 'two', containerEdits: { env: ['TWO=2'] } }],
    }
    await writeFile(join(specs ?? '', 'late.json'), JSON.stringify(late))
    assert.equal(await s.exec(await s.run(pod, overrides), 'sh', '-c', 'echo $TWO'), '2')
    await rm(join(specs ?? '', 'late.json'))
  }),
)
