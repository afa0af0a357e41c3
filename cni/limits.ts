/** Everything bounded in the CNI part; plugins, their output and conf files are not trusted to be reasonable. */
export const cniLimits = {
  /** Size of one conf file. */
  confFileBytes: 256 * 1024,
  /** Conf files of the directory that are looked at, first by name. */
  confFiles: 64,
  pluginsPerList: 32,
  /** Size of a plugin's result. */
  resultBytes: 256 * 1024,
  /** Size of one file of the cache: a conf list, a result, and what the pod declares (annotations at most). */
  cacheFileBytes: 4 * 1024 * 1024,
  interfaces: 64,
  ips: 64,
  routes: 1024,
  dnsEntries: 64,
  /** Any one text of a conf list or a result that lighter reads. */
  textCharacters: 4096,
  /** A plugin's message inside an error of ours. */
  messageCharacters: 1024,
  /** Changes of the conf directory that come this close together are read once. */
  confDebounceMs: 100,
  /** Age at which what STATUS and the conf directory said is asked for again. */
  statusTtlMs: 10_000,
  /** start() waits this long for the first STATUS; it goes on in the background. */
  startProbeMs: 1_000,
  /** stop() waits this long for running plugins, which are better not killed. */
  stopGraceMs: 5_000,
} as const
