/** What the streaming server may cost; the operators' limits are in the configuration. */
export const streamingLimits = {
  /** URLs that were given out and not used. */
  pendingUrls: 1000,
  urlTtlMs: 60_000,
  /** Connections at once; more are closed when they come. */
  connections: 1024,
  /** A client gets this long for its request, and for its TLS handshake. */
  requestMs: 10_000,
  requestHeaderBytes: 16 * 1024,
  /** Looks for clients whose machine is gone. */
  keepAliveMs: 30_000,
  /** Sessions get this long to say good-bye when the server stops. */
  stopGraceMs: 2_000,
  /** One WebSocket message; it is in memory as a whole. */
  messageBytes: 4 * 1024 * 1024,
  /** Received on a WebSocket channel and not read yet; beyond it the connection is not read. */
  queuedBytes: 64 * 1024,
  /** A WebSocket connection that waits for a reader looks whether its client is still there so often. */
  probeMs: 2_000,
  /** After the last message a WebSocket client gets this long to close. */
  lingerMs: 5_000,
  /** Ports of one port-forward over WebSocket channels: a channel has a number of one byte, 255 says close. */
  channelPorts: 127,
  /** A message of a resize stream; ordinary ones have 30 bytes. */
  resizeBytes: 1024,
  /** Certificate, key or list of authorities. */
  certificateFileBytes: 1024 * 1024,
} as const
