/** Limits of checkpoints; what an archive unpacks to is bounded by the limits of layers. */
export const checkpointLimits = {
  /** For callers that name no time-out. */
  defaultTimeoutMs: 10 * 60_000,
  /** Making containers from checkpoints, after the caller may have left. */
  restoreTimeoutMs: 10 * 60_000,
  /** One pause or resume, and looking whether CRIU works. */
  pauseTimeoutMs: 30_000,
  /** Each may take a second. */
  pauseAttempts: 5,
  criuCheckTimeoutMs: 10_000,
  /** Files and directories that a container may have changed. */
  changedFiles: 1_000_000,
  configDumpBytes: 1024 * 1024,
  specDumpBytes: 16 * 1024 * 1024,
  deletedFilesBytes: 64 * 1024 * 1024,
  /** Files in the directory of CRIU's images. */
  imageFiles: 100_000,
  containersOfPod: 100,
  /** Containers of one pod that are captured side by side. */
  capturesAtOnce: 4,
  /** Of CRIU's log; its errors are near the end. */
  logTailBytes: 64 * 1024,
  messageLength: 1000,
} as const
