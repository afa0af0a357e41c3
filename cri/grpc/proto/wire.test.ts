import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import protobuf from 'protobufjs'
import { errnoOf } from '#base/errors'
import { imageMethods, runtimeMethods } from '../methods.ts'

const ours = 'cri/grpc/proto/api.proto'
/** The Go module that pins the version of the interface's own definition. */
const pin = 'e2e/tools/cri-api'

test('every message, field, enum value and RPC is that of the pinned k8s.io/cri-api', async t => {
  const theirs = await findTheirs()
  if ('missing' in theirs) {
    t.skip(theirs.missing)
    return
  }
  const [mine, reference] = await Promise.all([describe(ours), describe(theirs.path)])
  assert.ok(reference.length > 700, `only ${reference.length} facts in ${theirs.path}`)
  const mineSet = new Set(mine)
  const referenceSet = new Set(reference)
  assert.deepEqual(
    reference.filter(fact => !mineSet.has(fact)),
    [],
    'missing here',
  )
  assert.deepEqual(
    mine.filter(fact => !referenceSet.has(fact)),
    [],
    'only here',
  )
})

test('the table of methods is the services of the proto, in paths, messages and streams', async () => {
  const facts = (await describe(ours)).filter(fact => fact.startsWith('rpc '))
  const table = [...Object.values(runtimeMethods), ...Object.values(imageMethods)].map(
    method =>
      `rpc ${method.path} ${method.request.name}${method.isServerStream ? ' stream' : ''} ${method.response.name}`,
  )
  assert.deepEqual(table.sort(), facts.sort())
  assert.equal(Object.keys(runtimeMethods).length, 37)
  assert.equal(Object.keys(imageMethods).length, 6)
})

/** One line for each thing that is on the wire, and for the names that JSON and logs show. */
async function describe(path: string): Promise<string[]> {
  const { root } = protobuf.parse(await readFile(path, 'utf8'), { keepCase: true })
  const facts: string[] = []
  visit(root.lookup('runtime.v1'), facts)
  return facts
}

function visit(object: protobuf.ReflectionObject | null, facts: string[]): void {
  if (object instanceof protobuf.Type) {
    facts.push(`message ${object.fullName}`)
    for (const field of object.fieldsArray) facts.push(describeField(object, field))
  } else if (object instanceof protobuf.Enum) {
    for (const [name, number] of Object.entries(object.values)) {
      facts.push(`enum ${object.fullName} ${name} ${number}`)
    }
  } else if (object instanceof protobuf.Service) {
    for (const rpc of object.methodsArray) {
      const service = object.fullName.slice(1)
      const stream = `${rpc.requestStream ? ' in' : ''}${rpc.responseStream ? ' stream' : ''}`
      facts.push(`rpc /${service}/${rpc.name} ${rpc.requestType}${stream} ${rpc.responseType}`)
    }
  }
  if (object instanceof protobuf.Namespace || object instanceof protobuf.Type) {
    for (const part of object.nestedArray) visit(part, facts)
  }
}

function describeField(message: protobuf.Type, field: protobuf.Field): string {
  const key = field instanceof protobuf.MapField ? `map ${field.keyType} ` : ''
  const label = field.repeated ? 'repeated ' : ''
  const oneof = field.partOf && !field.partOf.name.startsWith('_') ? ` oneof ${field.partOf.name}` : ''
  const redact = field.options?.debug_redact === true ? ' redact' : ''
  return `field ${message.fullName} ${field.name} ${field.id} ${key}${label}${field.type}${oneof}${redact}`
}

async function findTheirs(): Promise<{ readonly path: string } | { readonly missing: string }> {
  try {
    const { stdout } = await promisify(execFile)('go', ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/cri-api'], {
      cwd: pin,
      env: { ...process.env, GOFLAGS: '-mod=mod' },
    })
    const directory = stdout.trim()
    if (directory === '')
      return { missing: `k8s.io/cri-api is not downloaded: run go mod download in ${pin}` }
    return { path: join(directory, 'pkg/apis/runtime/v1/api.proto') }
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return { missing: 'Go is not installed' }
    throw err
  }
}
