import * as v from 'valibot'

/** Form of the configuration file. Every key may be left out; what is not here is an error. */
const absolutePath = v.pipe(v.string(), v.startsWith('/', 'is not an absolute path'))
const absolutePathOrNone = v.pipe(v.string(), v.regex(/^(\/.*)?$/, 'is not an absolute path'))
const positive = v.pipe(v.number(), v.safeInteger('is not a whole number'), v.minValue(1, 'is less than 1'))

/** A timer of Node holds 2^31 - 1 ms, and time-outs are added to each other. */
const timeoutMs = v.pipe(positive, v.maxValue(24 * 24 * 60 * 60 * 1000, 'is longer than 24 days'))

/** Socket paths hold 107 bytes; those of the shims need this much below the state directory. */
export const maxStateDirBytes = 40

const stateDir = v.pipe(
  absolutePath,
  v.maxBytes(maxStateDirBytes, `is longer than ${maxStateDirBytes} bytes: sockets below it would not fit`),
)

const listen = v.pipe(v.string(), v.regex(/^unix:\/\/\/[^\0]{1,100}$/, 'is not unix:///PATH'))

const socketPath = v.pipe(absolutePath, v.maxBytes(107, 'is longer than the 107 bytes of a socket path'))

const handlerName = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/,
    'is not a name of lower-case letters, digits, "-" and "."',
  ),
)

const portNumber = v.pipe(
  v.number(),
  v.safeInteger('is not a whole number'),
  v.minValue(0, 'is less than 0'),
  v.maxValue(0xffff, 'is more than 65535'),
)

const pathOrNone = v.pipe(v.string(), v.regex(/^(\/.*)?$/, 'is not an absolute path'))

const streaming = v.strictObject({
  address: v.optional(v.pipe(v.string(), v.ip('is not an IP address'))),
  port: v.optional(portNumber),
  allowPlainHttp: v.optional(v.boolean()),
  tls: v.optional(
    v.strictObject({
      certFile: v.optional(pathOrNone),
      keyFile: v.optional(pathOrNone),
      clientCaFile: v.optional(pathOrNone),
      minVersion: v.optional(v.picklist(['TLSv1.2', 'TLSv1.3'])),
    }),
  ),
  idleTimeoutMs: v.optional(timeoutMs),
  streamCreationTimeoutMs: v.optional(timeoutMs),
})

const handler = v.strictObject({
  path: v.pipe(v.string(), v.nonEmpty('is empty')),
  privilegedWithoutHostDevices: v.optional(v.boolean()),
  allowedAnnotations: v.optional(
    v.array(v.pipe(v.string(), v.regex(/^[^*]+\*?$/, 'is not a name, or a beginning followed by "*"'))),
  ),
  hooksDir: v.optional(absolutePathOrNone),
  deviceOwnershipFromSecurityContext: v.optional(v.boolean()),
})

/** OCI runtimes find it by this name only. */
const criuPath = v.pipe(
  v.string(),
  v.regex(/^(\/(.*\/)?)?criu$/, 'is neither "criu" nor an absolute path of it'),
)

const limits = v.strictObject({
  layerDownloads: v.optional(positive),
  pullProgressTimeoutMs: v.optional(timeoutMs),
  manifestBytes: v.optional(positive),
  layerBytes: v.optional(positive),
  layerInodes: v.optional(positive),
  cniPluginTimeoutMs: v.optional(timeoutMs),
  runtimeTimeoutMs: v.optional(timeoutMs),
  execSyncBytes: v.optional(positive),
})

export const fileSchema = v.strictObject({
  root: v.optional(absolutePath),
  state: v.optional(stateDir),
  listen: v.optional(listen),
  programsDir: v.optional(absolutePathOrNone),
  cgroupDriver: v.optional(v.picklist(['auto', 'cgroupfs', 'systemd'])),
  cni: v.optional(
    v.strictObject({
      confDir: v.optional(absolutePath),
      binDirs: v.optional(v.pipe(v.array(absolutePath), v.minLength(1, 'is empty'))),
    }),
  ),
  registries: v.optional(
    v.strictObject({
      certsDir: v.optional(absolutePath),
      insecureHosts: v.optional(v.array(v.pipe(v.string(), v.nonEmpty('is empty')))),
    }),
  ),
  runtimes: v.optional(
    v.strictObject({
      default: v.optional(handlerName),
      handlers: v.optional(v.record(handlerName, handler)),
    }),
  ),
  streaming: v.optional(streaming),
  cdi: v.optional(v.strictObject({ specDirs: v.optional(v.array(absolutePath)) })),
  checkpoint: v.optional(
    v.strictObject({ criuPath: v.optional(criuPath), restoreImages: v.optional(v.boolean()) }),
  ),
  nri: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean()),
      socketPath: v.optional(socketPath),
      pluginDir: v.optional(absolutePath),
      configDir: v.optional(absolutePath),
      registrationTimeoutMs: v.optional(timeoutMs),
      requestTimeoutMs: v.optional(timeoutMs),
      disableExternalConnections: v.optional(v.boolean()),
    }),
  ),
  metrics: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean()),
      address: v.optional(v.pipe(v.string(), v.ip('is not an IP address'))),
      port: v.optional(portNumber),
    }),
  ),
  log: v.optional(v.strictObject({ level: v.optional(v.picklist(['debug', 'info', 'warn', 'error'])) })),
  limits: v.optional(limits),
})

/** What one file may say. */
export type FileConfig = v.InferOutput<typeof fileSchema>
