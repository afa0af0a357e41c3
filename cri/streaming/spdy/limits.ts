/** What one SPDY connection may cost. */
export const spdyLimits = {
  /** Payload of a control frame; headers of streams have some 100 bytes. */
  controlFrameBytes: 16 * 1024,
  /** A header block when inflated. */
  headerBlockBytes: 32 * 1024,
  headers: 64,
  settings: 128,
  /** Open at once; a forwarded connection takes two. More are refused. */
  streams: 1024,
  /** Received and not read yet, for each stream; beyond it the connection is not read. */
  queuedBytes: 64 * 1024,
  /** Replies that the peer does not read; beyond it the connection is not read. */
  unsentReplyBytes: 256 * 1024,
  /** Payload of a sent data frame. */
  dataFrameBytes: 64 * 1024,
  /** A connection that waits for a reader looks whether its peer is still there so often. */
  probeMs: 2_000,
  /** After the last frame the peer gets this long to close. */
  lingerMs: 5_000,
} as const
