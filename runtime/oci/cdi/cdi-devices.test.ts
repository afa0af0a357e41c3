import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { type CdiDevices, createCdiDevices } from './cdi-devices.ts'
import { requestedDevices } from './device-name.ts'

const yaml = `
cdiVersion: 1.1.0
kind: vendor.com/gpu
containerEdits:
  env: [COMMON=1]
devices:
  - name: "0"
    containerEdits:
      env: [GPU=0]
  - name: all
    containerEdits:
      env: [GPU=all]
`

describe('the CDI devices of a node', () => {
  let directory: string
  let devices: CdiDevices
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-cdi-'))
    await mkdir(join(directory, 'etc'))
    await mkdir(join(directory, 'run'))
    devices = createCdiDevices(['etc', 'run', 'absent'].map(name => join(directory, name)))
  })
  afterEach(() => rm(directory, { recursive: true }))

  const write = (name: string, content: unknown): Promise<void> =>
    writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content))
  const variables = async (...names: string[]) => (await devices.edits(names)).map(({ env }) => env)
  const spec = (env: string, more: object = {}) => ({
    cdiVersion: '0.6.0',
    kind: 'vendor.com/gpu',
    devices: [{ name: '0', containerEdits: { env: [env], ...more } }],
  })

  it('bring the edits of their file once, before their own', async () => {
    await write('etc/gpu.yaml', yaml)
    assert.deepEqual(await variables('vendor.com/gpu=all', 'vendor.com/gpu=0'), [
      ['COMMON=1'],
      ['GPU=all'],
      ['GPU=0'],
    ])
  })

  it('of a later directory count, and changed files are read again', async () => {
    await write('etc/gpu.json', spec('FROM=etc'))
    assert.deepEqual((await variables('vendor.com/gpu=0')).at(-1), ['FROM=etc'])
    await write('run/gpu.json', spec('FROM=run'))
    assert.deepEqual((await variables('vendor.com/gpu=0')).at(-1), ['FROM=run'])
    await write('run/gpu.json', spec('FROM=changed'))
    assert.deepEqual((await variables('vendor.com/gpu=0')).at(-1), ['FROM=changed'])
    await rm(join(directory, 'run/gpu.json'))
    assert.deepEqual((await variables('vendor.com/gpu=0')).at(-1), ['FROM=etc'])
  })

  it('that two files of one directory describe are refused, with both files', async () => {
    await write('etc/a.json', spec('A=1'))
    await write('etc/b.json', spec('B=1'))
    await assert.rejects(
      variables('vendor.com/gpu=0'),
      err => isKind(err, 'failed-precondition') && /a\.json.*b\.json/.test(err.message),
    )
  })

  it('that are unknown are refused by name, a broken file harms only its own', async () => {
    await write('etc/good.json', spec('A=1'))
    await write('etc/broken.yaml', 'kind: [')
    assert.deepEqual((await variables('vendor.com/gpu=0')).at(-1), ['A=1'])
    await assert.rejects(
      variables('vendor.com/gpu=7'),
      err => isKind(err, 'failed-precondition') && /"vendor\.com\/gpu=7".*broken\.yaml/.test(err.message),
    )
    await write('etc/broken.yaml', 'x')
    await write('etc/bomb.yaml', 'a: &a [1]\nb: [*a, *a]\n')
    await assert.rejects(variables('other.com/x=0'), /bomb\.yaml/)
  })

  const broken: readonly (readonly [string, unknown, RegExp])[] = [
    ['no version', { ...spec('A=1'), cdiVersion: undefined }, /cdiVersion/],
    ['a later version', { ...spec('A=1'), cdiVersion: '2.0.0' }, /"2\.0\.0" is none of/],
    ['a wrong kind', { ...spec('A=1'), kind: 'gpu' }, /kind "gpu"/],
    ['a field that CDI has not', { ...spec('A=1'), more: 1 }, /\.more is not a field/],
    [
      'two devices with one name',
      { ...spec('A=1'), devices: [...spec('A=1').devices, ...spec('B=1').devices] },
      /two/,
    ],
    ['a variable without a name', spec('=1'), /env\[0\] is not NAME=value/],
    ['a relative node', spec('A=1', { deviceNodes: [{ path: 'dev/x' }] }), /path is not an absolute/],
    ['a wrong node type', spec('A=1', { deviceNodes: [{ path: '/dev/x', type: 'q' }] }), /type is none/],
    [
      'a pipe',
      spec('A=1', { deviceNodes: [{ path: '/dev/x', type: 'p' }] }),
      /pipes \(p\) are not supported/,
    ],
    ['a hook nobody runs', spec('A=1', { hooks: [{ hookName: 'never', path: '/x' }] }), /hookName is none/],
    ['a group out of range', spec('A=1', { additionalGids: [-1] }), /additionalGids/],
    ['a network device', spec('A=1', { netDevices: [{}] }), /netDevices is not supported/],
    ['a class of service', spec('A=1', { intelRdt: { closID: 'x' } }), /intelRdt is not supported/],
  ]
  for (const [name, content, text] of broken) {
    it(`are not there if their file has ${name}, and the error says so`, async () => {
      await write('etc/gpu.json', content)
      await assert.rejects(
        variables('vendor.com/gpu=0'),
        err => isKind(err, 'failed-precondition') && text.test(err.message),
      )
    })
  }
})

describe('the CDI devices that a container asks for', () => {
  it('are those of the field and of the annotations, each once', () => {
    const found = requestedDevices(
      {
        cdiDevices: ['vendor.com/gpu=0', 'vendor.com/nic=eth0'],
        annotations: { 'cdi.k8s.io/gpu_x': 'vendor.com/gpu=1,vendor.com/gpu=0', 'example.org/y': 'z' },
      },
      ['vendor.com/gpu=2', 'vendor.com/gpu=1'],
    )
    const names = ['vendor.com/gpu=0', 'vendor.com/nic=eth0', 'vendor.com/gpu=1', 'vendor.com/gpu=2']
    assert.deepEqual(found, names)
  })

  for (const name of [
    '',
    'gpu',
    'vendor.com/gpu',
    'vendor.com/gpu=',
    '/gpu=0',
    'vendor.com/gpu=0=1',
    'a/b=../c',
  ]) {
    it(`are refused: "${name}"`, () => {
      assert.throws(
        () => requestedDevices({ cdiDevices: [], annotations: { 'cdi.k8s.io/x': name } }),
        err => isKind(err, 'invalid-argument') && err.message.includes(`"${name}"`),
      )
    })
  }
})
