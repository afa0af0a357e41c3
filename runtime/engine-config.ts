/** Everything the engine needs to know; plain data, made by the door from the configuration file and flags. */
export interface EngineConfig {
  /** Persistent data, `/var/lib/lighter`. */
  readonly rootDir: string
  /** What a reboot may take, `/run/lighter`; at most 40 bytes long, because socket paths below it hold 107. */
  readonly stateDir: string
  /** Directory of lighter-host, lighter-shim, lighter-pause, lighter-unpack and lighter-accept. */
  readonly programsDir: string
  readonly cniConfDir: string
  readonly cniBinDirs: readonly string[]
  readonly registries: RegistriesConfig
  readonly runtimeHandlers: readonly RuntimeHandlerConfig[]
  /** Name of the handler that "" stands for. */
  readonly defaultRuntimeHandler: string
  /** Directories of CDI specs; of two devices with one name that of the later directory counts. */
  readonly cdiSpecDirs: readonly string[]
  /** CRIU: an absolute path, or a name that is looked up in PATH. */
  readonly criuPath: string
  /** Containers whose image says that it is a checkpoint begin from it. */
  readonly restoresImages: boolean
  /** auto: systemd if it runs the cgroup tree of a pure v2 host, else cgroupfs. */
  readonly cgroupDriver: 'auto' | 'cgroupfs' | 'systemd'
  readonly limits: EngineLimits
}

export interface RegistriesConfig {
  /** Directory with HOST/hosts.toml. */
  readonly certsDir: string
  /** Hosts (`name` or `name:port`) that are spoken to over plain HTTP; loopback always is allowed to. */
  readonly insecureHosts: readonly string[]
}

export interface RuntimeHandlerConfig {
  readonly name: string
  /** Absolute path, or a name that is looked up in PATH at start. */
  readonly path: string
  /** Privileged containers get the devices that they name, and not all of the host's. */
  readonly isPrivilegedWithoutHostDevices: boolean
  /** Names of pod and container annotations that go into the OCI spec; with a `*` at the end all that begin so. */
  readonly allowedAnnotations: readonly string[]
  /** Directory of OCI hook configurations 1.0.0 (oci-hooks(5)), absolute; "" for none. */
  readonly hooksDir: string
  /** Devices belong to run_as_user and run_as_group, not to whom they belong on the host. */
  readonly hasDevicesOfUser: boolean
}

/** Named limits of the engine; defaults in cri/config/defaults.ts, listed in ARCHITECTURE.md. */
export interface EngineLimits {
  /** Layers fetched side by side, over all pulls. */
  readonly layerDownloads: number
  /** A pull without a received byte for this long is given up. */
  readonly pullProgressTimeoutMs: number
  readonly manifestBytes: number
  /** Unpacked size and number of inodes of one layer. */
  readonly layerBytes: number
  readonly layerInodes: number
  /** One CNI plugin may take this long. */
  readonly cniPluginTimeoutMs: number
  /** `runc run`, `runc exec`, `runc delete` may take this long each. */
  readonly runtimeTimeoutMs: number
  /** Captured output of one ExecSync stream. */
  readonly execSyncBytes: number
}
