/** Limits of the image part that are not for the operator to turn; the others are in EngineLimits. */
export const imageLimits = {
  /** Overlayfs takes 500 lower directories; one page of mount options takes this many short names. */
  layers: 256,
  /** Index inside an index inside an index: no deeper. */
  indexDepth: 3,
  indexEntries: 1024,
  /** Entries of one list or table in an image config. */
  configEntries: 4096,
  /** The record of an image, a layer or a root file system. */
  recordBytes: 4 * 1024 * 1024,
  hostsFileBytes: 256 * 1024,
  certificateBytes: 1024 * 1024,
  /** Mirrors of one registry. */
  endpoints: 32,
  tokenBytes: 256 * 1024,
  redirects: 5,
  /** Text of a registry's error that goes into a message. */
  errorBodyBytes: 8 * 1024,
  errorTextLength: 300,
  connectTimeoutMs: 15_000,
  headersTimeoutMs: 60_000,
  challengeLength: 8 * 1024,
  /** A token is renewed this long before it ends; one without a life time lives this long. */
  tokenMarginMs: 5_000,
  tokenDefaultMs: 60_000,
  /** Times a request is tried over all endpoints before the registry counts as unavailable. */
  attempts: 4,
  /** Times that a download which was cut is continued at one endpoint, each after it brought something. */
  resumes: 8,
  firstBackoffMs: 250,
  backoffFactor: 3,
  /** Unpacking one layer may take this long. */
  unpackTimeoutMs: 30 * 60_000,
  syncTimeoutMs: 5 * 60_000,
  /** Removing what nobody refers to, with the caller possibly gone. */
  cleanupTimeoutMs: 10 * 60_000,
  /** Layers being unpacked side by side, over all pulls: each is a process that fills a core. */
  unpacks: 4,
} as const
