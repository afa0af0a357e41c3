import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import type { Spec } from '../oci/spec/types.ts'
import { layout } from './layout.ts'
import { checkpointLimits } from './limits.ts'

/** config.dump: what container it was (checkpointctl, lib/metadata.go, ContainerConfig). */
const configDump = v.object({
  id: v.optional(v.string(), ''),
  name: v.optional(v.string(), ''),
  rootfsImage: v.optional(v.string(), ''),
  rootfsImageRef: v.optional(v.string(), ''),
  rootfsImageName: v.optional(v.string(), ''),
  runtime: v.optional(v.string(), ''),
  createdTime: v.optional(v.string(), ''),
  checkpointedTime: v.optional(v.string(), ''),
})

export type ConfigDump = v.InferOutput<typeof configDump>

/** The part of an OCI config.json that a restore compares. */
const specDump = v.object({
  process: v.object({
    terminal: v.optional(v.boolean(), false),
    args: v.optional(v.array(v.string()), []),
    env: v.optional(v.array(v.string()), []),
    cwd: v.string(),
    user: v.object({
      uid: v.number(),
      gid: v.number(),
      additionalGids: v.optional(v.array(v.number()), []),
    }),
    noNewPrivileges: v.optional(v.boolean(), false),
    capabilities: v.optional(v.object({ effective: v.optional(v.array(v.string()), []) }), {}),
  }),
  mounts: v.optional(
    v.array(
      v.object({
        destination: v.string(),
        type: v.optional(v.string(), ''),
        options: v.optional(v.array(v.string()), []),
      }),
    ),
    [],
  ),
  linux: v.object({
    namespaces: v.optional(v.array(v.object({ type: v.string(), path: v.optional(v.string()) })), []),
  }),
})

export type SpecDump = v.InferOutput<typeof specDump>

const deletedFiles = v.array(v.string())

const podOptions = v.object({
  version: v.literal(1),
  /** Name of each container, and its archive in the same directory. */
  archives: v.array(v.object({ name: v.string(), file: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}\.tar$/)) })),
})

export type PodOptions = v.InferOutput<typeof podOptions>

/** All are read from directories that others made. Errors: `invalid-argument` naming the file. */
export function readConfigDump(directory: string): Promise<ConfigDump> {
  return readDump(join(directory, layout.config), checkpointLimits.configDumpBytes, configDump)
}

export function readSpecDump(directory: string): Promise<SpecDump> {
  return readDump(join(directory, layout.spec), checkpointLimits.specDumpBytes, specDump)
}

/** Relative paths; none if there is no such file. */
export async function readDeletedFiles(directory: string): Promise<readonly string[]> {
  const path = join(directory, layout.deleted)
  const bytes = await readPlainFile(path, checkpointLimits.deletedFilesBytes)
  return bytes ? parse(path, bytes, deletedFiles) : []
}

export function readPodOptions(directory: string): Promise<PodOptions> {
  return readDump(join(directory, layout.podOptions), checkpointLimits.configDumpBytes, podOptions)
}

async function readDump<Schema extends v.GenericSchema>(
  path: string,
  maxBytes: number,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const bytes = await readPlainFile(path, maxBytes)
  if (bytes) return parse(path, bytes, schema)
  throw new RuntimeError('invalid-argument', `this is not a checkpoint: there is no ${path}`)
}

function parse<Schema extends v.GenericSchema>(
  path: string,
  bytes: Buffer,
  schema: Schema,
): v.InferOutput<Schema> {
  try {
    return v.parse(schema, JSON.parse(bytes.toString()))
  } catch (err) {
    throw new RuntimeError('invalid-argument', `${path} cannot be read: ${messageOf(err)}`, { cause: err })
  }
}

/** A regular file that is not a link: nothing else is opened, for a link may lead anywhere and a FIFO wait for ever. */
async function readPlainFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw new RuntimeError('invalid-argument', `${path} is not a regular file`)
      if (stats.size > maxBytes) {
        throw new RuntimeError('invalid-argument', `${path} has ${stats.size} bytes, more than ${maxBytes}`)
      }
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return undefined
    if (errnoOf(err) === 'ELOOP') {
      throw new RuntimeError('invalid-argument', `${path} is a symbolic link`, { cause: err })
    }
    throw fileError(`cannot read ${path}`, err)
  }
}

/** Texts of the files that a checkpoint consists of. */
export function configDumpText(dump: ConfigDump): string {
  return `${JSON.stringify(dump, undefined, 2)}\n`
}

export function specDumpText(spec: Spec): string {
  return JSON.stringify(spec)
}
