import type { EngineLimits } from '#engine/engine-config'
import type { NriConfig } from '#nri/config'

/** The whole configuration: plain data, frozen. */
export interface Config {
  readonly root: string
  readonly state: string
  readonly listen: string
  /** "": the programs that came with this lighterd. */
  readonly programsDir: string
  readonly cgroupDriver: 'auto' | 'cgroupfs' | 'systemd'
  readonly cni: { readonly confDir: string; readonly binDirs: readonly string[] }
  readonly registries: { readonly certsDir: string; readonly insecureHosts: readonly string[] }
  readonly runtimes: {
    readonly default: string
    readonly handlers: Readonly<Record<string, HandlerConfig>>
  }
  readonly streaming: StreamingConfig
  readonly cdi: { readonly specDirs: readonly string[] }
  readonly checkpoint: {
    /** An absolute path, or a name that is looked up in PATH. */
    readonly criuPath: string
    readonly restoreImages: boolean
  }
  readonly nri: NriConfig
  readonly metrics: MetricsConfig
  readonly log: { readonly level: LogLevel }
  readonly limits: EngineLimits
}

/** The server of exec, attach and port-forward. */
export interface StreamingConfig {
  /** IP address to listen on. */
  readonly address: string
  /** 0: any free one. */
  readonly port: number
  /** On an address that other machines can reach. */
  readonly allowPlainHttp: boolean
  /** Without certFile and keyFile the server speaks plain HTTP; without clientCaFile anybody with a URL may come. */
  readonly tls: {
    readonly certFile: string
    readonly keyFile: string
    readonly clientCaFile: string
    readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  }
  readonly idleTimeoutMs: number
  readonly streamCreationTimeoutMs: number
}

/** The page for Prometheus. */
export interface MetricsConfig {
  readonly enabled: boolean
  /** IP address to listen on. */
  readonly address: string
  /** 0: any free one. */
  readonly port: number
}

export interface HandlerConfig {
  readonly path: string
  readonly privilegedWithoutHostDevices: boolean
  readonly allowedAnnotations: readonly string[]
  readonly hooksDir: string
  readonly deviceOwnershipFromSecurityContext: boolean
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export const configFile = '/etc/lighter/config.yaml'

const mebibyte = 1024 * 1024

/** What a handler is that gives its path only. */
export const defaultHandler: HandlerConfig = freeze({
  path: 'runc',
  privilegedWithoutHostDevices: false,
  allowedAnnotations: [],
  hooksDir: '',
  deviceOwnershipFromSecurityContext: false,
})

export const defaultConfig: Config = freeze({
  root: '/var/lib/lighter',
  state: '/run/lighter',
  listen: 'unix:///run/lighter/lighter.sock',
  programsDir: '',
  cgroupDriver: 'auto',
  cni: { confDir: '/etc/cni/net.d', binDirs: ['/opt/cni/bin', '/usr/lib/cni'] },
  registries: { certsDir: '/etc/lighter/certs.d', insecureHosts: [] },
  runtimes: { default: 'runc', handlers: { runc: defaultHandler } },
  streaming: {
    address: '127.0.0.1',
    port: 0,
    allowPlainHttp: false,
    tls: { certFile: '', keyFile: '', clientCaFile: '', minVersion: 'TLSv1.2' },
    idleTimeoutMs: 4 * 60 * 60 * 1000,
    streamCreationTimeoutMs: 30_000,
  },
  cdi: { specDirs: ['/etc/cdi', '/var/run/cdi'] },
  checkpoint: { criuPath: 'criu', restoreImages: false },
  nri: {
    enabled: false,
    socketPath: '/var/run/nri/nri.sock',
    pluginDir: '/opt/nri/plugins',
    configDir: '/etc/nri/conf.d',
    registrationTimeoutMs: 5_000,
    requestTimeoutMs: 2_000,
    disableExternalConnections: false,
  },
  metrics: { enabled: false, address: '127.0.0.1', port: 9750 },
  log: { level: 'info' },
  limits: {
    layerDownloads: 6,
    pullProgressTimeoutMs: 60_000,
    manifestBytes: 4 * mebibyte,
    layerBytes: 64 * 1024 * mebibyte,
    layerInodes: 10_000_000,
    cniPluginTimeoutMs: 60_000,
    runtimeTimeoutMs: 60_000,
    execSyncBytes: 16 * mebibyte,
  },
})

/** Nobody changes a configuration, not even by accident. */
export function freeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) freeze(part)
  }
  return Object.freeze(value)
}
