/** NRI of one daemon; see the section `nri` of the configuration file. */
export interface NriConfig {
  readonly enabled: boolean
  /** Unix socket for external plugins. */
  readonly socketPath: string
  /** Pre-installed plugins, executable files named `10-name`. */
  readonly pluginDir: string
  /** `10-name.conf` or `name.conf` is given to the plugin of that name. */
  readonly configDir: string
  /** From the connection to the registration, and for the synchronization. */
  readonly registrationTimeoutMs: number
  /** Everything else that a plugin is asked. */
  readonly requestTimeoutMs: number
  /** Only pre-installed plugins. */
  readonly disableExternalConnections: boolean
}
