import { join } from 'node:path'
import protobuf from 'protobufjs'

/** A message of the interface, as its definition has it. */
export interface MessageSchema {
  readonly fields: readonly FieldSchema[]
}

export interface FieldSchema {
  readonly number: number
  /** As in the definition: `pod_sandbox_id`. */
  readonly name: string
  /** Maps, too: they are lists of entries. */
  readonly isRepeated: boolean
  readonly type: FieldType
}

export type FieldType = { readonly kind: 'text' | 'bytes' | 'number' | 'double' } | MessageType

interface MessageType {
  readonly kind: 'message'
  readonly message: MessageSchema
}

/** This file runs from build/cri/grpc/testing. */
const definition = join(import.meta.dirname, '..', '..', '..', '..', 'cri', 'grpc', 'proto', 'api.proto')

/** The request messages of all RPCs, by the name of the RPC. */
export async function requestSchemas(): Promise<ReadonlyMap<string, MessageSchema>> {
  const root = new protobuf.Root()
  await root.load(definition, { keepCase: true })
  root.resolveAll()
  const schemas = new Map<string, MessageSchema>()
  for (const service of ['RuntimeService', 'ImageService']) {
    for (const method of root.lookupService(`runtime.v1.${service}`).methodsArray) {
      schemas.set(method.name, messageSchema(root.lookupType(`runtime.v1.${method.requestType}`)))
    }
  }
  return schemas
}

function messageSchema(type: protobuf.Type): MessageSchema {
  return {
    fields: type.fieldsArray.map(field => ({
      number: field.id,
      name: field.name,
      isRepeated: field.repeated || field.map,
      type: field instanceof protobuf.MapField ? entryType(field) : fieldType(field),
    })),
  }
}

function entryType(field: protobuf.MapField): FieldType {
  const key = { number: 1, name: field.name, isRepeated: false, type: scalarType(field.keyType) }
  const value = { number: 2, name: field.name, isRepeated: false, type: fieldType(field) }
  return { kind: 'message', message: { fields: [key, value] } }
}

function fieldType({ resolvedType, type }: protobuf.FieldBase): FieldType {
  if (resolvedType instanceof protobuf.Type) return { kind: 'message', message: messageSchema(resolvedType) }
  return resolvedType ? { kind: 'number' } : scalarType(type)
}

function scalarType(type: string): FieldType {
  if (type === 'string') return { kind: 'text' }
  if (type === 'bytes' || type === 'double') return { kind: type }
  if (/^(u?int(32|64)|bool)$/.test(type)) return { kind: 'number' }
  throw new Error(`the interface has a new type of field: ${type}`)
}
