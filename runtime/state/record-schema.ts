import * as v from 'valibot'
import { parseContainerId, parseDigest, parsePodId } from '#base/ids'

/** Building blocks of the record schemas; they mirror runtime/model, and tsc compares the two. */

export const podId = v.pipe(v.string(), v.transform(parsePodId))
export const containerId = v.pipe(v.string(), v.transform(parseContainerId))
export const digest = v.pipe(v.string(), v.transform(parseDigest))
/** JSON has no 64-bit integers: nanoseconds are written as decimal text. */
export const nanoseconds = v.pipe(
  v.string(),
  v.regex(/^\d{1,20}$/),
  v.transform((text: string) => BigInt(text)),
)
export const integer = v.pipe(v.number(), v.safeInteger())
/** JSON has no undefined: an absent key stands for it. */
export function maybe<Schema extends v.GenericSchema>(
  schema: Schema,
): v.OptionalSchema<Schema, () => undefined> {
  return v.optional(schema, () => undefined)
}
export const texts = v.array(v.string())
export const textMap = v.record(v.string(), v.string())
export const owner = v.picklist(['k8s.io', 'docker', 'build'])

const idMapping = v.object({ hostId: integer, containerId: integer, length: integer })
export const idMappings = v.array(idMapping)
const namespaceMode = v.picklist(['pod', 'container', 'node', 'target'])

export const namespaceOptions = v.object({
  network: namespaceMode,
  pid: namespaceMode,
  ipc: namespaceMode,
  targetId: v.string(),
  user: maybe(v.object({ mode: namespaceMode, uids: idMappings, gids: idMappings })),
})

export const securityProfile = v.variant('type', [
  v.object({ type: v.literal('runtime-default') }),
  v.object({ type: v.literal('unconfined') }),
  v.object({ type: v.literal('localhost'), ref: v.string() }),
])

export const selinuxOptions = v.object({
  user: v.string(),
  role: v.string(),
  type: v.string(),
  level: v.string(),
})

export const linuxResources = v.object({
  cpuPeriodUs: integer,
  cpuQuotaUs: integer,
  cpuShares: integer,
  memoryLimitBytes: integer,
  memorySwapLimitBytes: integer,
  oomScoreAdj: integer,
  cpusetCpus: v.string(),
  cpusetMems: v.string(),
  hugepageLimits: v.array(v.object({ pageSize: v.string(), limitBytes: v.number() })),
  unified: textMap,
})

/** A record on disk: its version, and the object; bigints as decimal text. */
export function encodeRecord(version: number, value: object): unknown {
  return { version, ...withTextIntegers(value) }
}

/** Throws if the JSON is not a record of this version. */
export function checkVersion(version: number, json: unknown): void {
  v.parse(v.object({ version: v.literal(version) }), json)
}

function withTextIntegers(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => [
      key,
      typeof item === 'bigint' ? String(item) : item,
    ]),
  )
}
